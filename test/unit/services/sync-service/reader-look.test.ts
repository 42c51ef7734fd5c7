import { beforeEach, expect, test } from 'vitest';
import type { ReaderStatus } from '#connectors/contract/source.ts';
import { silentHealing } from '#schemas/healing.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import type { ControlPort } from '#services/sync-service/ports.ts';
import { ReaderLook } from '#services/sync-service/reader-look.ts';

const status = (more: Partial<ReaderStatus> = {}): ReaderStatus => ({
  ...{ sourceLsn: 1000n, receivedLsn: 1000n, acknowledgedLsn: 1000n, bufferedBytes: 0 },
  ...more,
});

let now: ReaderStatus | undefined;
let look: ReaderLook;

beforeEach(() => {
  now = status();
  const options = { control: {} as ControlPort, clock: new ManualClock(), log: silentLog, healing: silentHealing };
  look = new ReaderLook({ ...options, sourceId: 's1', sourceName: 'pacs' }, () => now);
});

test('a reader that is not connected has that to do; one at the end of the WAL has nothing', () => {
  now = undefined;
  expect(look.work()).toBe('the source is to be connected to');
  now = status();
  expect(look.work()).toBeUndefined();
});

test('blocks that the topic does not hold are work, whatever the source does', () => {
  look.read = 3;
  look.stored = 1;
  expect(look.work()).toBe('2 blocks are to be stored');
  look.stored = 3;
  expect(look.work()).toBeUndefined();
});

test('WAL is work while bytes flow at the source and none come; the little that an idle source writes is none', () => {
  // The end of an idle source may lie beyond what it ever sends.
  now = status({ sourceLsn: 50_000n });
  expect(look.work()).toBeUndefined();
  now = status({ sourceLsn: 100_000n });
  expect(look.work()).toBeUndefined();
  now = status({ sourceLsn: 200_000n });
  expect(look.work()).toBe('199000 bytes of WAL are to be read');
  // Something has come: from here it counts anew.
  now = status({ sourceLsn: 210_000n, receivedLsn: 200_000n });
  expect(look.work()).toBeUndefined();
});

test('whatever moves is a sign of life, also another try; only what is stored stays', () => {
  const seen = new Set([look.signs()]);
  const changes: (() => void)[] = [
    () => (look.read += 1),
    () => (look.stored += 1),
    () => (look.tries += 1),
    () => (now = status({ receivedLsn: 1001n })),
    () => (now = status({ receivedLsn: 1001n, acknowledgedLsn: 1001n })),
    () => (now = status({ receivedLsn: 1001n, acknowledgedLsn: 1001n, bufferedBytes: 7 })),
    () => {
      look.connected();
    },
  ];
  for (const change of changes) {
    change();
    seen.add(look.signs());
  }
  expect(seen.size).toBe(changes.length + 1);
  // Over a connection that was made anew, too.
  expect(look.done()).toBe('1');
});
