import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { readingSocket, receiveInto } from '#connectors/postgres/wire/reading-socket.ts';

/** Both ends of a connection: ours reads as the product does. */
async function pair(): Promise<{ ours: Socket; theirs: Socket } & AsyncDisposable> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ours = readingSocket();
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  ours.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [theirs] = await accepted;
  return {
    ours,
    theirs,
    [Symbol.asyncDispose]: async () => {
      ours.destroy();
      theirs.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const until = async (condition: () => boolean): Promise<void> => expect.poll(condition, { timeout: 10_000 }).toBe(true);

test('before it is turned over, whoever listens gets bytes of its own', async () => {
  await using ends = await pair();
  const chunks: Buffer[] = [];
  ends.ours.on('data', (chunk: Buffer) => void chunks.push(chunk));
  ends.theirs.write('first');
  await until(() => chunks.length === 1);
  ends.theirs.write('second');
  await until(() => chunks.length === 2);
  expect(chunks.map(String)).toEqual(['first', 'second']);
});

test('then everything arrives in order, in one buffer that is used again', async () => {
  await using ends = await pair();
  const sent = Buffer.alloc(3_000_000);
  for (let i = 0; i < sent.length; i++) sent[i] = i % 251;
  const got: Buffer[] = [];
  const memory = new Set<ArrayBufferLike>();
  let bytes = 0;
  receiveInto(ends.ours, (chunk) => {
    got.push(Buffer.from(chunk));
    memory.add(chunk.buffer);
    bytes += chunk.length;
  });
  ends.theirs.write(sent);
  await until(() => bytes === sent.length);
  expect(Buffer.concat(got).equals(sent)).toBe(true);
  expect(memory.size).toBe(1);
});

test('a paused one leaves the bytes with the sender (Promise 6), and goes on where it stopped', async () => {
  await using ends = await pair();
  let bytes = 0;
  receiveInto(ends.ours, (chunk) => (bytes += chunk.length));
  ends.theirs.write('x');
  await until(() => bytes === 1);
  ends.ours.pause();
  const much = 64 * 2 ** 20;
  let flushed = false;
  ends.theirs.write(Buffer.alloc(much), () => (flushed = true));
  // What the kernel's buffers take is far less: the sender is still at it, and nothing has come through.
  await new Promise((resolve) => setImmediate(resolve));
  expect(bytes).toBe(1);
  expect(flushed).toBe(false);
  ends.ours.resume();
  await until(() => bytes === 1 + much);
});

test('its end and its errors are those of any socket', async () => {
  await using ends = await pair();
  receiveInto(ends.ours, () => undefined);
  const closed = once(ends.ours, 'close');
  ends.theirs.end();
  await closed;
});
