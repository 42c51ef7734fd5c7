import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { postgresSettings } from '#connectors/postgres/settings.ts';
import {
  identifySystem,
  ReplicationClient,
  type ReplicationRequest,
} from '#connectors/postgres/source/replication-client.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { eventually } from '#test/support/eventually.ts';
import { errorResponse, FakeWalsender, message } from './fake-walsender.ts';

let server: FakeWalsender;
let clock: ManualClock;
beforeEach(async () => {
  server = await FakeWalsender.listen();
  clock = new ManualClock();
});
afterEach(() => server[Symbol.asyncDispose]());

const request: ReplicationRequest = {
  format: 'text',
  slot: 'a"slot',
  publication: "p'ub",
  start: 0x1_0000_0010n,
  senderTimeoutMs: 60_000,
};

interface Watched {
  readonly client: ReplicationClient;
  readonly messages: string[];
  readonly walEnds: bigint[];
  readonly end: Promise<TerraFusionError | undefined>;
  received: bigint;
  durable: bigint;
}

async function start(stop = new AbortController(), others: Partial<ReplicationRequest> = {}): Promise<Watched> {
  const end = Promise.withResolvers<TerraFusionError | undefined>();
  const watched = { messages: [] as string[], walEnds: [] as bigint[], end: end.promise, received: 20n, durable: 10n };
  const client = await ReplicationClient.start(
    postgresSettings.parse({ url: server.url }),
    { clock, log: silentLog, signal: stop.signal },
    { ...request, ...others },
    {
      onMessage: (buf, from, to) => watched.messages.push(buf.toString('utf8', from, to)),
      onWalEnd: (lsn) => watched.walEnds.push(lsn),
      onChunkEnd: () => undefined,
      progress: () => watched,
      onEnd: (error) => {
        end.resolve(error);
      },
    },
    async (session) => {
      expect(await identifySystem(session)).toEqual({ systemIdentifier: '42', timeline: 3 });
    },
  );
  return Object.assign(watched, { client });
}

/** Moves the clock and waits for the status update that is due. */
async function tick(ms: number) {
  const before = server.statuses.length;
  await clock.untilSleeping();
  clock.advance(ms);
  await eventually(() => server.statuses.length > before, { every: 1, within: 10_000, what: 'a status update' });
  return server.statuses.at(-1)!;
}

describe('the stream', () => {
  test('begins at the asked location with names quoted, hands over changes, and ends so that the slot is free', async () => {
    const watched = await start();
    expect(server.commands).toEqual([
      'IDENTIFY_SYSTEM',
      `START_REPLICATION SLOT "a""slot" LOGICAL 1/10 (proto_version '1', publication_names '"p''ub"', messages 'true')`,
    ]);
    server.change(Buffer.from('one'));
    server.change(Buffer.from('two'));
    server.keepAlive(99n, false);
    await eventually(() => watched.walEnds.length > 0);
    expect(watched.messages).toEqual(['one', 'two']);
    expect(watched.client.walEnd).toBe(99n);
    await watched.client.close();
    expect(server.commands.slice(2)).toEqual(['copy done', 'terminate']);
    // The last word before is what is durable by now.
    expect(server.statuses.at(-1)).toEqual({ written: 20n, flushed: 10n, asksForAnswer: false });
    expect(await watched.end).toBeUndefined();
    await watched.client.close();
  });

  test.each([
    ['55006', 'replication slot "s" is active for PID 7', 'SOURCE_SLOT_IN_USE'],
    ['55000', 'can no longer get changes from replication slot "s"', 'SOURCE_HISTORY_LOST'],
    ['42501', 'permission denied', 'SOURCE_NO_PRIVILEGE'],
  ])('that the server refuses: %s', async (sqlstate, text, code) => {
    server.onStart = () => errorResponse(sqlstate, text);
    await expect(start()).rejects.toMatchObject({ code, message: expect.stringContaining(text) as string });
  });

  test('that is accepted by nobody is closed', async () => {
    const refuse = ReplicationClient.start(
      postgresSettings.parse({ url: server.url }),
      { clock, log: silentLog, signal: new AbortController().signal },
      request,
      {
        onMessage: () => {},
        onWalEnd: () => {},
        onChunkEnd: () => {},
        onEnd: () => {},
        progress: () => ({ received: 0n, durable: 0n }),
      },
      () => {
        throw new Error('not this one');
      },
    );
    await expect(refuse).rejects.toThrow('not this one');
    await eventually(() => server.commands.includes('terminate'));
  });

  test('an abort while it starts', async () => {
    const stop = new AbortController();
    server.onStart = () => {
      stop.abort(new Error('stopped'));
      return Buffer.alloc(0);
    };
    await expect(start(stop)).rejects.toThrow('stopped');
  });
});

describe('CHECKLIST 1: two numbers', () => {
  test('on a timer, received and durable apart, and durable alone for the slot', async () => {
    const watched = await start();
    expect(await tick(1000)).toEqual({ written: 20n, flushed: 10n, asksForAnswer: false });
    watched.received = 40n;
    expect(await tick(1000)).toEqual({ written: 40n, flushed: 10n, asksForAnswer: false });
    watched.durable = 41n;
    expect(await tick(1000)).toEqual({ written: 41n, flushed: 41n, asksForAnswer: false });
    await watched.client.close();
  });

  test("well within the server's patience, however short that is", async () => {
    const watched = await start(undefined, { senderTimeoutMs: 400 });
    await tick(100);
    await watched.client.close();
  });

  test('a keep-alive that asks is answered at once, without waiting for the clock, and moves no slot', async () => {
    const watched = await start();
    server.keepAlive(99n, false);
    server.keepAlive(100n, true);
    await eventually(() => server.statuses.length > 0);
    expect(server.statuses).toEqual([{ written: 100n, flushed: 0n, asksForAnswer: false }]);
    await watched.client.close();
  });

  test('also while the data path is paused and keep-alives lie unread', async () => {
    const watched = await start();
    watched.client.pause();
    const filler = Buffer.alloc(60_000);
    let room = true;
    while (room) room = server.change(filler);
    server.keepAlive(100n, true);
    const read = watched.messages.length;
    for (let second = 0; second < 300; second++) await tick(1000);
    expect(watched.messages.length - read).toBeLessThanOrEqual(2);
    expect(watched.walEnds).toEqual([]);
    watched.client.resume();
    await eventually(() => watched.walEnds.length === 1);
    await watched.client.close();
  });
});

describe('the end', () => {
  test('CHECKLIST 4: a server that is silent is asked, and after that given up', async () => {
    const watched = await start();
    const asked: boolean[] = [];
    for (let second = 0; second < 120; second++) asked.push((await tick(1000)).asksForAnswer);
    expect(asked.indexOf(true)).toBe(30);
    await clock.untilSleeping();
    clock.advance(1000);
    expect(await watched.end).toMatchObject({
      code: 'SOURCE_DISCONNECTED',
      message: expect.stringContaining('silent for 121 seconds') as string,
    });
  });

  test('an answer is a sign of life', async () => {
    const watched = await start();
    for (let second = 0; second < 300; second++) {
      const { asksForAnswer } = await tick(1000);
      if (!asksForAnswer) continue;
      const heard = watched.walEnds.length;
      server.keepAlive(100n, false);
      await eventually(() => watched.walEnds.length > heard, { every: 1 });
    }
    await watched.client.close();
    expect(await watched.end).toBeUndefined();
  });

  test.each([
    ['the connection breaks', () => undefined, 'SOURCE_DISCONNECTED'],
    [
      'an error',
      () => server.send(errorResponse('58P01', 'requested WAL segment 1 has already been removed')),
      'SOURCE_HISTORY_LOST',
    ],
    ['the server shuts down', () => server.send(message('c')), 'SOURCE_DISCONNECTED'],
    ['data of an unknown kind', () => server.send(message('d', Buffer.from('z'))), 'SOURCE_PROTOCOL'],
    ['a length that cannot be', () => server.send(Buffer.from('d\0\0\0\0')), 'SOURCE_PROTOCOL'],
  ])('%s', async (_, act, code) => {
    const watched = await start();
    act();
    if (code === 'SOURCE_DISCONNECTED') server.drop();
    expect(await watched.end).toMatchObject({ code });
    await watched.client.close();
  });

  test('arbitrary bytes end in an error or are waited on; never a crash, and closing always works', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const watched = await start();
        server.send(Buffer.from(bytes));
        server.drop();
        const error = await watched.end;
        expect(error?.code).toMatch(/^SOURCE_|^INTERNAL$/);
        await watched.client.close();
      }),
      { numRuns: 50 },
    );
  });
});
