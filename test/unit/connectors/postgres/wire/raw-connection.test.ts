import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { RawConnection } from '#connectors/postgres/wire/raw-connection.ts';
import { readingSocket } from '#connectors/postgres/wire/reading-socket.ts';

/** A message of 1,000 bytes with its number in it. */
function message(nth: number): Buffer {
  const bytes = Buffer.alloc(1001, 'd');
  bytes.writeInt32BE(1000, 1);
  bytes.writeInt32BE(nth, 5);
  return bytes;
}

/** A connection that rests after every read, the hardest case, and the server's end of it. */
async function restingConnection(onMessage: (nth: number) => void) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = readingSocket();
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [theirs] = await accepted;
  let rests = 0;
  const raw = RawConnection.takeOver(
    { connection: { stream: socket } } as unknown as pg.Client,
    'source',
    {
      onMessage: (_type, buf, start) => {
        onMessage(buf.readInt32BE(start));
      },
      onClose: () => undefined,
    },
    {
      pace: {
        restAfter: () => {
          rests += 1;
          return 1;
        },
      },
    },
  );
  return {
    raw,
    theirs,
    rests: () => rests,
    [Symbol.asyncDispose]: async () => {
      raw.destroy();
      theirs.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const until = async (condition: () => boolean): Promise<void> => expect.poll(condition, { timeout: 20_000 }).toBe(true);

test('with rests in between everything arrives once and in order', async () => {
  const got: number[] = [];
  await using ends = await restingConnection((nth) => got.push(nth));
  for (let nth = 0; nth < 2000; nth += 1) ends.theirs.write(message(nth));
  await until(() => got.length === 2000);
  expect(got).toEqual(Array.from({ length: 2000 }, (_, nth) => nth));
  expect(ends.rests()).toBeGreaterThan(1);
});

test('a rest that ends does not resume what back-pressure has paused (Promise 6)', async () => {
  let got = 0;
  await using ends = await restingConnection(() => {
    got += 1;
    // After the read that the rest follows, and long before the rest is over.
    if (got === 1)
      queueMicrotask(() => {
        ends.raw.pause();
      });
  });
  ends.theirs.write(message(0));
  await until(() => ends.raw.isPaused);
  const sent = 60_000;
  for (let nth = 0; nth < sent; nth += 1) ends.theirs.write(message(nth));
  // All that the kernel takes on its own is taken once what waits has stopped to get less; a reader that went on would take all of it.
  let waiting = -1;
  await until(() => {
    const settled = ends.theirs.writableLength === waiting;
    waiting = ends.theirs.writableLength;
    return settled;
  });
  expect(waiting).toBeGreaterThan(0);
  expect(got).toBe(1);
  ends.raw.resume();
  await until(() => got === sent + 1);
});
