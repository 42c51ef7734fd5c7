import { beforeEach, describe, expect, test } from 'vitest';
import type { SourceSnapshot } from '#connectors/contract/source.ts';
import type { LoadChunk, LoadTable, TargetLoad } from '#connectors/contract/target.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import type { LoadOptions, TableLoad, TableStart } from '#services/loader/options.ts';
import { planLoad } from '#services/loader/plan.ts';

const context = {
  clock: new ManualClock(),
  log: { debug() {}, info() {}, warn() {}, error() {} },
  signal: new AbortController().signal,
};
const nameOf = (name: string) => ({ schema: 'public', name });
const byKey = (lower: string | null) => ({
  by: 'key' as const,
  columns: ['id'],
  lower: lower === null ? null : [lower],
  upper: null,
});

let chunks: LoadChunk[];
let begun: readonly TableStart[];
let forgotten: number[];
let emptied: string[];
/** By which bytes each end means values of columns `a` and `b`; of a chain that changes nothing. */
let formats: { readonly sent: Record<string, string>; readonly received: Record<string, string> } | undefined;

beforeEach(() => {
  chunks = [];
  begun = [];
  forgotten = [];
  emptied = [];
  formats = undefined;
});

function chunk(table: string, number: number, rows?: number): LoadChunk {
  const snapshot = { until: 9n, shown: '5:5:' };
  return {
    table: nameOf(table),
    number,
    range: byKey(String(number)),
    finished: rows === undefined ? undefined : { rows, bytes: rows, snapshot },
  };
}

/** A load of the tables; the source cuts each into two chunks. */
async function plan(...names: readonly string[]) {
  const tables: LoadTable[] = names.map((name) => ({
    table: nameOf(name),
    after: [],
    together: [],
    primaryKey: ['id'],
    binaryFormats: new Map(Object.entries(formats?.received ?? {})),
  }));
  const load = {
    tables,
    chunks: () => Promise.resolve([...chunks]),
    plan: (planned) => {
      for (const { table, ranges } of planned)
        chunks.push(...ranges.map((range, number) => ({ table, number, range, finished: undefined })));
      return Promise.resolve();
    },
    reset: (reset) => {
      emptied.push(...reset.map(({ name }) => name));
      chunks = chunks.filter(({ table }) => !reset.some(({ name }) => name === table.name));
      return Promise.resolve();
    },
  } as Partial<TargetLoad> as TargetLoad;
  const snapshot = {
    until: 99n,
    shown: '7:7:',
    plan: (shapes: readonly unknown[]) => Promise.resolve(shapes.map(() => [byKey(null), byKey('1')])),
    altered: () => Promise.resolve([]),
    binaryFormats: (asked) => Promise.resolve(asked.map(() => new Map(Object.entries(formats?.sent ?? {})))),
  } as Partial<SourceSnapshot> as SourceSnapshot;
  const options = {
    tables: names.map((name, i): TableLoad => {
      const columns = formats === undefined ? [] : [{ name: 'a' }, { name: 'b' }];
      const table = { ...nameOf(name), relationId: i + 1, identity: 'default', tolerant: false, columns };
      return {
        shape: { table, primaryKey: ['id'] } as unknown as TableLoad['shape'],
        target: nameOf(name),
        identity: formats !== undefined,
        filtered: false,
      };
    }),
    limits: { chunkRows: undefined },
    observer: { begun: (tables: readonly TableStart[]) => void (begun = tables) },
    forgetDeadLetters: (relationId: number) => {
      forgotten.push(relationId);
      return Promise.resolve();
    },
  } as unknown as LoadOptions;
  const { units, resumed } = await planLoad(options, load, snapshot, context);
  const left = units.flatMap(({ jobs }) =>
    jobs.flatMap(({ parts }) => parts.map(({ load: { target }, number }) => `${target.name} ${number}`)),
  );
  return { left, resumed, sentAs: units.flatMap(({ jobs }) => jobs.flatMap(({ parts }) => parts))[0]?.format };
}

describe('what is left of a load', () => {
  test('that begins: every chunk, planned before the first is read', async () => {
    expect(await plan('a', 'b')).toMatchObject({ left: ['a 0', 'a 1', 'b 0', 'b 1'], resumed: false });
    expect(chunks).toHaveLength(4);
    expect(forgotten).toEqual([1, 2]);
  });

  test('that goes on after a kill: the chunks that are not there, and no others (Promise 5)', async () => {
    chunks = [chunk('a', 0, 10), chunk('a', 1), chunk('a', 2, 5)];
    expect(await plan('a')).toMatchObject({ left: ['a 1'], resumed: true });
    expect(emptied).toEqual([]);
    expect(begun).toMatchObject([{ table: nameOf('a'), rows: 15, bytes: 15, chunks: 3, chunksDone: 2 }]);
  });

  test('to which a table has come: that one is planned, the others go on', async () => {
    chunks = [chunk('a', 0, 10), chunk('a', 1)];
    expect(await plan('a', 'b')).toMatchObject({ left: ['a 1', 'b 0', 'b 1'], resumed: true });
    expect(forgotten).toEqual([]);
  });
});

describe('rows go over', () => {
  const same = { a: 'int8', b: 'text' };

  test('as bytes where both ends mean the same by those of every column', async () => {
    formats = { sent: { ...same, dropped: 'uuid' }, received: { ...same, own: 'date' } };
    expect(await plan('a')).toMatchObject({ sentAs: 'binary' });
  });

  test.each([
    ['one end means something else', same, { a: 'float8', b: 'text' }],
    ['the source sends a column only as text', { a: 'int8' }, same],
    ['the target receives a column only as text', same, { b: 'text' }],
    ['neither knows anything else', {}, {}],
  ])('as text where %s', async (_, sent, received) => {
    formats = { sent, received };
    expect(await plan('a')).toMatchObject({ sentAs: 'text' });
  });

  test('as text where a chain looks at them', async () => {
    expect(await plan('a')).toMatchObject({ sentAs: 'text' });
  });
});
