import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '#services/demo/random.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

const OWNERS = 4000;
const PARCELS = 40_000;
/** Transactions a second, over all writers. */
const RATE = 200;
const WRITERS = 4;

/** Owners, and parcels that point to them; parcels of a district that are split point to the one they came from. */
const schema = `
  CREATE TABLE owner (id int PRIMARY KEY, name text NOT NULL, changed int NOT NULL DEFAULT 0);
  CREATE TABLE parcel (id bigint PRIMARY KEY, owner_id int NOT NULL REFERENCES owner, pin text NOT NULL UNIQUE, value numeric(14, 2), notes text);
  CREATE INDEX parcel_owner ON parcel (owner_id);
  ALTER TABLE parcel ALTER notes SET STORAGE EXTERNAL;`;
const rows = `
  INSERT INTO owner SELECT n, 'Owner ' || n FROM generate_series(1, ${OWNERS}) n;
  INSERT INTO parcel SELECT n, 1 + n % ${OWNERS}, 'P-' || n, n * 1.25, CASE WHEN n % 50 = 0 THEN repeat(md5(n::text), 200) END
    FROM generate_series(1, ${PARCELS}) n;
  ANALYZE`;

/** One source transaction: what an office does to its records. */
function transaction(random: SeededRandom, next: () => number): string {
  const parcel = random.whole(1, PARCELS);
  const owner = random.whole(1, OWNERS);
  switch (random.whole(0, 6)) {
    case 0: // A new owner buys a new parcel.
      return `INSERT INTO owner VALUES (${OWNERS + next()}, 'New') ON CONFLICT DO NOTHING;
        INSERT INTO parcel SELECT ${PARCELS + next()}, max(id), 'N-' || max(id) || '-' || txid_current(), 1, NULL FROM owner`;
    case 1: // It goes for good: nothing may bring it back.
      return `DELETE FROM parcel WHERE id = ${parcel}`;
    case 2: // It moves to another key, its large note untouched.
      return `UPDATE parcel SET id = ${PARCELS + next()} WHERE id = ${parcel}`;
    case 3: // An owner goes, and his parcels pass to somebody else.
      return `UPDATE parcel SET owner_id = (SELECT min(id) FROM owner WHERE id <> ${owner}) WHERE owner_id = ${owner};
        DELETE FROM owner WHERE id = ${owner}`;
    case 4: // Two swap what is unique.
      return `UPDATE parcel SET pin = 'swap ' || txid_current() WHERE id = ${parcel};
        UPDATE parcel SET value = value + 1 WHERE id = ${random.whole(1, PARCELS)}`;
    default:
      return `UPDATE owner SET changed = changed + 1 WHERE id = ${owner}; UPDATE parcel SET value = value + 0.5 WHERE id = ${parcel}`;
  }
}

/** Writes at the rate until it is told to stop. @returns transactions that were committed */
async function write(source: TestDatabase, seed: number, stop: AbortSignal): Promise<number> {
  let number = 0;
  const next = (): number => (number += 1);
  const begun = performance.now();
  let due = 0;
  const committed = await Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      const client = await source.connect();
      const random = new SeededRandom(seed * WRITERS + writer);
      let count = 0;
      while (!stop.aborted) {
        const wait = begun + (1000 * (due += 1)) / RATE - performance.now();
        if (wait > 1) await delay(wait);
        // Who comes second of two that want the same rows gives way, as a program would.
        const done = await client.query(`BEGIN; ${transaction(random, next)}; COMMIT`).then(
          () => true,
          async () => (await client.query('ROLLBACK'), false),
        );
        if (done) count += 1;
      }
      await client.end();
      return count;
    }),
  );
  return committed.reduce((sum, count) => sum + count, 0);
}

describe('a load under write traffic', () => {
  test.each([1, 2])('ends equal: keys hold, nothing comes back (TEST_SEED=%i)', async (seed) => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(`${schema}${rows}`);
    const installation = await freshInstallation();
    const service = installation.start();
    try {
      const stop = new AbortController();
      const writing = write(source, seed, stop.signal);
      writing.catch(() => undefined);
      const pair = await installation.addPair({
        source,
        target,
        // So slow that it takes a while.
        config: { load_chunk_rows: 1000, load_max_rows_per_second: 12_000, max_parallel_operations: 3 },
      });
      const begun = performance.now();
      await eventually(async () => (await pair.state()).state === 'streaming', {
        within: 120_000,
        every: 50,
        what: 'the load to be done',
      });
      const seconds = (performance.now() - begun) / 1000;
      stop.abort();
      const committed = await writing;
      // A slow machine writes less; but it was a load under traffic.
      expect(committed).toBeGreaterThan((RATE * seconds) / 4);
      await pair.fence();

      const same = await expectSameRows(source, target, ['public.owner', 'public.parcel']);
      expect(Object.values(same).every((count) => count > 1000)).toBe(true);
      expect(await pair.deadLetters()).toEqual([]);
      // Made by us, checked by the target over all rows.
      expect(
        await target.query(
          `SELECT conname AS name, convalidated AS valid FROM pg_constraint
            WHERE conrelid IN ('owner'::regclass, 'parcel'::regclass) AND contype IN ('p', 'u', 'f') ORDER BY 1`,
        ),
      ).toEqual(
        ['owner_pkey', 'parcel_owner_id_fkey', 'parcel_pin_key', 'parcel_pkey'].map((name) => ({ name, valid: true })),
      );
      expect(await target.value('SELECT count(*)::int FROM parcel WHERE owner_id NOT IN (SELECT id FROM owner)')).toBe(
        0,
      );
    } finally {
      await service.stop();
    }
  });
});
