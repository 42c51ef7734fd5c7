import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { StatusView } from '#schemas/http/status.ts';
import { EventHub } from '#services/gateway/event-hub.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { eventually } from '#test/support/eventually.ts';

const BUFFER = 64 * 1024;
/** What one look tells each listener. */
const TOLD = 40_000;

/** A hub whose every look has something new to tell, over real sockets. */
async function hubbed() {
  const clock = new ManualClock();
  let looks = 0;
  const responses: ServerResponse[] = [];
  const hub = new EventHub({
    read: () => {
      looks += 1;
      const component = { name: 'gateway', message: `${looks} ${'x'.repeat(TOLD)}` };
      return Promise.resolve({ pairs: [], components: [component], alerts: [] } as unknown as StatusView);
    },
    clock,
    log: silentLog,
    everyMs: 1000,
    bufferBytes: BUFFER,
  });
  const server = createServer((_request, response) => {
    responses.push(response);
    hub.add(response, () => Promise.resolve(true));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    hub,
    clock,
    responses,
    looks: () => looks,
    join: async (): Promise<Socket> => {
      const size = hub.size;
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(() => hub.size === size + 1);
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
    },
  };
}

test('what waits for readers that never read is bounded, and they are cut off while the others read on (Promise 6)', async () => {
  await using world = await hubbed();
  const { hub, clock, responses, looks } = world;
  let read = 0;
  const reader = await world.join();
  reader.on('data', (chunk: Buffer) => (read += chunk.length));
  const deaf: Socket[] = [];
  for (let nth = 0; nth < 20; nth += 1) deaf.push((await world.join()).pause());
  let most = 0;
  await eventually(
    async () => {
      const before = looks();
      clock.advance(1000);
      await eventually(() => looks() > before);
      // The one that reads has the time to.
      await eventually(() => responses[0]!.writableLength === 0);
      for (const response of responses) most = Math.max(most, response.writableLength);
      return hub.size === 1;
    },
    { within: 60_000, what: 'those that do not read to be cut off' },
  );
  // What one look tells more than the limit, with the frame around it; and the sockets are closed, not kept with what they hold.
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(BUFFER + 2 * TOLD);
  expect(responses.filter(({ destroyed }) => destroyed)).toHaveLength(20);
  const [had, before] = [read, looks()];
  clock.advance(1000);
  await eventually(() => looks() > before && read >= had + TOLD);
  for (const socket of deaf) socket.destroy();
  reader.destroy();
  await eventually(() => hub.size === 0);
});

test('all who listen are told from one look', async () => {
  await using world = await hubbed();
  const { clock, looks } = world;
  const sockets = [await world.join()];
  await eventually(() => looks() >= 1);
  for (let nth = 0; nth < 9; nth += 1) sockets.push(await world.join());
  let told = 0;
  for (const socket of sockets) socket.on('data', (chunk: Buffer) => (told += chunk.length));
  await eventually(() => told >= 10 * TOLD);
  const [before, had] = [looks(), told];
  clock.advance(1000);
  await eventually(() => told >= had + 10 * TOLD);
  expect(looks()).toBe(before + 1);
  for (const socket of sockets) socket.destroy();
});
