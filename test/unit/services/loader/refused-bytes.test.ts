import { describe, expect, test } from 'vitest';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { RawFormat, SourceSnapshot } from '#connectors/contract/source.ts';
import type { LoadSession, TargetLoad } from '#connectors/contract/target.ts';
import { type ErrorCode, TerraFusionError } from '#schemas/errors.ts';
import type { LoadOptions, TableLoad } from '#services/loader/options.ts';
import type { Job } from '#services/loader/plan.ts';
import { Schedule } from '#services/loader/schedule.ts';
import { type Failure, runWorkers } from '#services/loader/workers.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';

interface Outcome {
  readonly failure: Failure | undefined;
  /** "table.chunk format", as they were copied; "!" for those that were refused. */
  readonly tried: readonly string[];
  /** Chunks that were committed. */
  readonly committed: readonly string[];
  readonly opened: number;
  readonly closed: number;
  /** Rows that the progress tells of at the end. */
  readonly told: number;
  /** Rows told as finished, by chunk. */
  readonly done: readonly number[];
}

/** One worker copies the chunks of two tables into a target that refuses some of them. */
async function load(refuse: (chunk: string, format: RawFormat) => ErrorCode | undefined): Promise<Outcome> {
  const tried: string[] = [];
  const committed: string[] = [];
  const done: number[] = [];
  let [opened, closed, told] = [0, 0, 0];
  const close = (): Promise<void> => {
    closed++;
    return Promise.resolve();
  };
  const context: ConnectorContext = { clock: systemClock, log: silentLog, signal: new AbortController().signal };
  const snapshot = {
    until: 1n,
    shown: undefined,
    openReader: () =>
      Promise.resolve({
        copyOut: async function* (_: unknown, __: unknown, range: { readonly lower: string }, format: RawFormat) {
          yield { bytes: Buffer.from(`${range.lower} ${format}`), rows: 4 };
          yield { bytes: Buffer.from(`${range.lower} ${format}`), rows: 1 };
        },
        [Symbol.asyncDispose]: close,
      }),
  } as unknown as SourceSnapshot;
  const openSession = (): Promise<LoadSession> => {
    opened++;
    let [broken, open] = [false, ''];
    const session: Partial<LoadSession> = {
      begin: () => {
        expect(broken).toBe(false);
      },
      copyIn: async (_, __, format, pieces) => {
        let first = true;
        for await (const piece of pieces) {
          // The second piece of a chunk is what may be refused: by then the first one has been told of.
          if (first) {
            first = false;
            continue;
          }
          const [chunk, sent] = piece.toString().split(' ') as [string, string];
          expect(sent).toBe(format);
          const code = refuse(chunk, format);
          tried.push(`${code === undefined ? '' : '!'}${chunk} ${format}`);
          if (code === undefined) open = chunk;
          else {
            broken = true;
            throw new TerraFusionError(code, `refused as ${format}`);
          }
        }
      },
      finish: () => undefined,
      commit: () => {
        committed.push(open);
        return Promise.resolve();
      },
      [Symbol.asyncDispose]: close,
    };
    return Promise.resolve(session as LoadSession);
  };
  const tableOf = (name: string): TableLoad =>
    ({
      shape: { table: { schema: 's', name, columns: [] } },
      target: { schema: 's', name },
      identity: true,
    }) as unknown as TableLoad;
  const unitOf = (name: string) => ({
    tables: [`s.${name}`],
    after: [],
    atOnce: false,
    jobs: [0, 1].map((number): Job => {
      const range = {
        by: 'key',
        columns: [],
        lower: `${name}.${number}`,
        upper: null,
      } as unknown as Job['parts'][0]['range'];
      return { together: false, parts: [{ load: tableOf(name), number, range, format: 'binary' }] };
    }),
  });
  const units = [unitOf('a'), unitOf('b')];
  const nothing = (): undefined => undefined;
  const options = {
    limits: { parallelTables: 1, parallelChunks: 1 },
    observer: {
      copied: (_: unknown, rows: number) => void (told += rows),
      givenUp: (_: unknown, rows: number) => void (told -= rows),
      tableDone: nothing,
      chunkDone: (_: unknown, rows: number) => done.push(rows),
    },
  } as unknown as LoadOptions;
  const failure = await runWorkers(
    options,
    { openSession } as unknown as TargetLoad,
    snapshot,
    new Schedule(units, 1),
    { units, resumed: false },
    context,
  );
  return { failure, tried, committed, opened, closed, done, told };
}

describe('a chunk that the target refuses in the binary format', () => {
  test('goes over as text, and so does the rest of its table; other tables are not concerned', async () => {
    const found = await load((chunk, format) =>
      chunk === 'a.0' && format === 'binary' ? 'TARGET_ROW_REJECTED' : undefined,
    );
    expect(found.failure).toBeUndefined();
    expect(found.tried).toEqual(['!a.0 binary', 'a.0 text', 'a.1 text', 'b.0 binary', 'b.1 binary']);
    expect(found.committed).toEqual(['a.0', 'a.1', 'b.0', 'b.1']);
    expect(found.done).toEqual([5, 5, 5, 5]);
    expect(found.told).toBe(20);
    // What had failed was left, at both ends.
    expect([found.opened, found.closed]).toEqual([2, 4]);
  });

  test('and as text as well: what is told is what was said to the text', async () => {
    const found = await load((chunk) => (chunk === 'a.1' ? 'TARGET_ROW_REJECTED' : undefined));
    expect(found.failure?.error).toMatchObject({ code: 'TARGET_ROW_REJECTED', message: 'refused as text' });
    expect(found.tried).toEqual(['a.0 binary', '!a.1 binary', '!a.1 text']);
    expect(found.committed).toEqual(['a.0']);
  });

  test.each(['TARGET_CONFLICT', 'TARGET_UNREACHABLE', 'TARGET_FENCED'] as const)(
    'for a reason that has nothing to do with bytes (%s) is not tried again here',
    async (code) => {
      const found = await load((chunk) => (chunk === 'a.0' ? code : undefined));
      expect(found.failure?.error).toMatchObject({ code, message: 'refused as binary' });
      expect(found.tried).toEqual(['!a.0 binary']);
    },
  );
});
