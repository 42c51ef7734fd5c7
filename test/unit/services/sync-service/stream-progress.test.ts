import { beforeEach, expect, test } from 'vitest';
import type { Applied } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { endOf } from '#schemas/position.ts';
import { changesTopic } from '#schemas/topics.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import type { WorkEnvironment } from '#services/sync-service/environment.ts';
import type { SupervisedPair } from '#services/sync-service/ports.ts';
import { StreamProgress } from '#services/sync-service/stream-progress.ts';

const topic = changesTopic('s');
const busy = new TerraFusionError('TARGET_BUSY', 'locked');
const outcome = { committed: true, inserted: 1, updated: 0, deleted: 0, rejected: 0, tables: [] };
const batch = { outcome, commitTimes: [], seconds: 1 };

/** Where the topic ends. */
let next: bigint;
/** What was said of the pair, its state and the code of its trouble. */
let said: string[];
let progress: StreamProgress;

beforeEach(() => {
  next = 0n;
  said = [];
  const env = {
    clock: new ManualClock(),
    log: silentLog,
    readers: new Map(),
    bus: { range: () => Promise.resolve({ first: 0n, next }) },
    metrics: { lag: () => undefined, committed: () => undefined },
    control: {
      recordProgress: () => Promise.resolve(),
      noteStreaming: () => Promise.resolve(),
      recordState: (_pair: unknown, state: string, trouble: TerraFusionError | undefined) => {
        said.push(`${state} ${trouble?.code ?? 'well'}`);
        return Promise.resolve();
      },
    },
  } as unknown as WorkEnvironment;
  const pair = { id: 'p', name: 'pacs-to-cama', sourceId: 's', load: {} } as unknown as SupervisedPair;
  progress = new StreamProgress(pair, topic, env, () => Promise.resolve());
});

const held = (offset: bigint): Applied => ({
  position: endOf(1, offset),
  topic,
  nextOffset: offset,
  overlayUntil: 0n,
});

// Found by the chaos suite: tables were locked for minutes, and hardly one of a thousand looks told of it.
test('a trouble lasts until the target has taken something, however many attempts begin meanwhile (Promise 9)', async () => {
  progress.opened(held(0n));
  await progress.tell();
  next = 3n;
  for (let attempt = 0; attempt < 3; attempt++) {
    progress.interrupted(busy);
    await progress.tell();
    progress.opened(held(0n));
    await progress.tell();
  }
  expect(said).toEqual(['streaming well', 'streaming TARGET_BUSY']);
  progress.committed(held(1n), batch);
  await progress.tell();
  expect(said).toEqual(['streaming well', 'streaming TARGET_BUSY', 'streaming well']);
});

test('a part of a large transaction that the target takes ends it too', async () => {
  next = 3n;
  progress.opened(held(0n));
  progress.interrupted(busy);
  await progress.tell();
  progress.opened(held(0n));
  progress.taken();
  await progress.tell();
  expect(said).toEqual(['streaming TARGET_BUSY', 'streaming well']);
});

test('where nothing waits, a session that has begun is all there is to see', async () => {
  next = 3n;
  progress.opened(held(3n));
  progress.interrupted(busy);
  await progress.tell();
  await progress.tell();
  expect(said).toEqual(['streaming TARGET_BUSY']);
  progress.opened(held(3n));
  await progress.tell();
  expect(said).toEqual(['streaming TARGET_BUSY', 'streaming well']);
});
