import { beforeEach, describe, expect, test } from 'vitest';
import type { SnapshotReader, SourceBlock } from '#connectors/contract/source.ts';
import type { LoadSession } from '#connectors/contract/target.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { before } from '#schemas/position.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { copyJob, type Hands } from '#services/loader/copy.ts';
import type { LoadOptions, TableLoad } from '#services/loader/options.ts';
import { Throttle } from '#services/loader/throttle.ts';

/** What has happened, in order. */
let said: string[];
let failsAt: string | undefined;
const never = new AbortController().signal;
const context = { clock: new ManualClock(), log: { debug() {}, info() {}, warn() {}, error() {} }, signal: never };

beforeEach(() => {
  said = [];
  failsAt = undefined;
});

async function say(what: string): Promise<void> {
  // A moment later: who does not wait for it is found out.
  await new Promise((resolve) => setImmediate(resolve));
  if (what === failsAt) throw new Error(`${what} failed`);
  said.push(what);
}

const session: LoadSession = {
  begin: () => void said.push('begin'),
  copyIn: async (_table, _columns, _format, pieces) => {
    for await (const piece of pieces) await say(`rows ${piece.toString().trim()}`);
  },
  write: () => say('rows'),
  finish: ({ number, finished }) =>
    void said.push(`finish ${number}: ${finished.rows} until ${finished.snapshot.until}`),
  commit: () => say('commit'),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

const block: SourceBlock = {
  bytes: Buffer.from('block'),
  last: before(0, 0n),
  changes: 3,
  transactions: 1,
  lastCommitTime: 0,
};

async function* given<T>(...pieces: readonly T[]): AsyncGenerator<T, void, undefined> {
  for (const piece of pieces) yield piece;
}

const reader: SnapshotReader = {
  copyOut: () => given({ bytes: Buffer.from('1\n2\n'), rows: 2 }, { bytes: Buffer.from('3\n'), rows: 1 }),
  blocks: () => given(block),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

const options = {
  observer: {
    begun() {},
    copied() {},
    givenUp: (_table: unknown, rows: number) => void said.push(`given up ${rows}`),
    chunkDone: (_table: unknown, rows: number) => void said.push(`told ${rows}`),
    tableDone() {},
    resting() {},
  },
  process: (bytes: Buffer) => ({ bytes, deadLetters: [{}] as unknown as DeadLetter[] }),
  storeDeadLetters: () => say('letters'),
  forgetDeadLetters: (relationId: number, first: number, end: number) =>
    say(`forget ${relationId} from ${first} to ${end}`),
} as Partial<LoadOptions> as LoadOptions;

function load(identity: boolean): TableLoad {
  const name = { schema: 'public', name: 'parcel' };
  const table = { ...name, relationId: 7, identity: 'default', tolerant: false, columns: [] } as const;
  return { shape: { table } as unknown as TableLoad['shape'], target: name, identity, filtered: false };
}

function copy(identity: boolean, resumed = false): Promise<void> {
  const hands: Hands = {
    reader,
    session,
    throttle: new Throttle(context.clock, { rows: undefined, bytes: undefined }),
    snapshot: { until: 9n, shown: undefined },
    resumed,
  };
  const job = {
    parts: [{ load: load(identity), number: 1, range: { by: 'whole' as const }, format: 'text' as const }],
    together: false,
  };
  return copyJob(job, hands, options, context);
}

describe('a chunk', () => {
  test('is noted behind its rows, in their transaction, and told once that is committed (Promises 3 and 9)', async () => {
    await copy(true);
    expect(said).toEqual(['begin', 'rows 1\n2', 'rows 3', 'finish 1: 3 until 9', 'commit', 'told 3']);
  });

  test('whose rows fail is neither noted nor told', async () => {
    failsAt = 'rows 3';
    await expect(copy(true)).rejects.toThrow('rows 3 failed');
    expect(said).toEqual(['begin', 'rows 1\n2', 'given up 2']);
  });

  test('that cannot be committed is not told', async () => {
    failsAt = 'commit';
    await expect(copy(true)).rejects.toThrow('commit failed');
    expect(said.slice(-2)).toEqual(['finish 1: 3 until 9', 'given up 3']);
  });
});

describe('a chunk that goes through a chain', () => {
  test('has its dead letters stored before the rows beside them go on (Promise 2)', async () => {
    await copy(false);
    expect(said).toEqual(['begin', 'letters', 'rows', 'finish 1: 3 until 9', 'commit', 'told 3']);
  });

  test('does not go on when they cannot be stored', async () => {
    failsAt = 'letters';
    await expect(copy(false)).rejects.toThrow('letters failed');
    expect(said).toEqual(['begin', 'given up 0']);
  });

  test('that may have been tried before forgets what was refused then, of this chunk alone', async () => {
    await copy(false, true);
    expect(said.slice(0, 3)).toEqual(['begin', 'forget 7 from 10000000000 to 20000000000', 'letters']);
  });
});
