import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { TargetBatch, TargetWriter } from '#connectors/contract/target.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import {
  type Cells,
  type Change,
  History,
  insert,
  Pair,
  remove,
  type Slice,
  table,
  truncate,
  update,
} from './postgres-target-fixture.ts';

let database: TestDatabase;

const keyed = table('public.keyed', ['k*', 'a', 'b']);
const pairKeyed = table('public.pair_keyed', ['a', 'k*', 'b', 'l*']);
const full = table('public.keyless', ['a', 'b'], { identity: 'full' });

beforeAll(async () => {
  database = await freshDatabase('target');
  await database.query(`CREATE TABLE keyed (k int PRIMARY KEY, a text, b text);
    CREATE TABLE pair_keyed (a text, k text, b text, l numeric, PRIMARY KEY (k, l));
    CREATE TABLE keyless (a text, b text)`);
});

const value = fc.constantFrom('x', 'y', '', null, '\\N', 'é\t');
const keys = ['1', '2', '3', '10'];
const step = fc.record({
  table: fc.constantFrom('keyed', 'keyed', 'pair_keyed', 'keyless'),
  kind: fc.constantFrom('write', 'write', 'write', 'write', 'move', 'delete', 'truncate'),
  key: fc.constantFrom(...keys),
  to: fc.constantFrom(...keys),
  values: fc.tuple(value, value),
  unsent: fc.tuple(fc.boolean(), fc.boolean()),
  /** Ends the transaction, the block, the batch after it. */
  ends: fc.constantFrom('', '', '', 'transaction', 'block', 'batch'),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The source: what each step does there, given what it holds. */
class Source {
  readonly keyed = new Map<string, Cells>();
  readonly pairKeyed = new Map<string, Cells>();
  readonly keyless: Cells[] = [];

  change(one: Step): Change[] {
    if (one.kind === 'truncate') return this.#truncate(one);
    if (one.table === 'keyless') return [this.#keyless(one)];
    const two = one.table === 'pair_keyed';
    const of = two ? pairKeyed : keyed;
    const rows = two ? this.pairKeyed : this.keyed;
    const row = (key: string, [a, b]: Cells): Cells => (two ? [a, key[0]!, b, key] : [key, a, b]);
    const old = rows.get(one.key);
    if (!old) {
      rows.set(one.key, row(one.key, one.values));
      return [insert(of, row(one.key, one.values))];
    }
    if (one.kind === 'delete') {
      rows.delete(one.key);
      return [remove(of, old)];
    }
    const key = one.kind === 'move' && !rows.has(one.to) ? one.to : one.key;
    const kept = two ? [old[0], old[2]] : [old[1], old[2]];
    const sent = one.values.map((cell, i) => (one.unsent[i] === true ? undefined : cell));
    rows.delete(one.key);
    rows.set(
      key,
      row(
        key,
        sent.map((cell, i) => (cell === undefined ? kept[i] : cell)),
      ),
    );
    return [update(of, row(key, sent), key === one.key ? undefined : old)];
  }

  #keyless({ kind, values, key, unsent }: Step): Change {
    const at = Number(key) % (this.keyless.length + 1);
    const old = this.keyless[at];
    if (!old) {
      this.keyless.push(values);
      return insert(full, values);
    }
    if (kind === 'delete') {
      this.keyless.splice(at, 1);
      return remove(full, old);
    }
    this.keyless[at] = values.map((cell, i) => (unsent[i] === true ? old[i] : cell));
    return update(
      full,
      values.map((cell, i) => (unsent[i] === true ? undefined : cell)),
      old,
    );
  }

  #truncate({ key }: Step): Change[] {
    if (key !== '1') return [];
    this.keyed.clear();
    this.keyless.length = 0;
    return truncate([keyed, full]);
  }
}

test('any history, cut anywhere, in any mode, with writers that come and go', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 60 }),
      fc.array(fc.constantFrom<TargetBatch['mode']>('set', 'set', 'ordered', 'immediate'), { minLength: 1 }),
      fc.array(fc.boolean(), { minLength: 1 }),
      async (steps, modes, restarts) => {
        await database.query('TRUNCATE keyed, pair_keyed, keyless');
        const pair = new Pair(database, new History());
        await pair.start();
        const source = new Source();
        const batches = cut(
          pair.history,
          steps.map((one) => ({ changes: source.change(one), ends: one.ends })),
        );
        let writer: TargetWriter | undefined;
        let mode: TargetBatch['mode'] = 'set';
        let whole = true;
        for (const [i, batch] of batches.entries()) {
          if (whole) {
            mode = modes[i % modes.length]!;
            if (restarts[i % restarts.length] === true) {
              await writer?.[Symbol.asyncDispose]();
              writer = undefined;
            }
          }
          writer ??= await pair.open();
          whole = (await writer.apply(pair.batch(batch, mode), pair.reject)).committed;
        }
        await writer?.[Symbol.asyncDispose]();
        expect(pair.letters).toEqual([]);
        expect((await pair.applied())?.position).toEqual(pair.history.position);
        expect(sorted(await pair.rows('keyed'))).toEqual(sorted([...source.keyed.values()]));
        expect(sorted(await pair.rows('pair_keyed'))).toEqual(sorted([...source.pairKeyed.values()]));
        expect(sorted(await pair.rows('keyless'))).toEqual(sorted(source.keyless));
      },
    ),
    { numRuns: 80 },
  );
});

/** Blocks of whole transactions and slices, as the steps tell; the last one ends all. */
function cut(
  history: History,
  steps: readonly { readonly changes: readonly Change[]; readonly ends: Step['ends'] }[],
): Slice[][] {
  const batches: Slice[][] = [[]];
  let changes: Change[] = [];
  let open = false;
  steps.forEach(({ changes: more, ends }, i) => {
    changes.push(...more);
    const last = i === steps.length - 1;
    if (ends === '' && !last) return;
    if (!open) history.begin();
    const ended = ends === 'transaction' || last;
    batches.at(-1)!.push(history.slice(changes, ended));
    open = !ended;
    changes = [];
    if (ends === 'batch' && !last) batches.push([]);
  });
  return batches;
}

function sorted(rows: readonly Cells[]): string[] {
  return rows.map((row) => JSON.stringify(row)).toSorted();
}
