import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { crashPoints, type CrashPoint } from '#services/kernel/crash-points.ts';
import { SeededRandom } from '#services/demo/random.ts';
import { describeCatalog } from '#test/support/catalog.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { columnsOf, expectSameRows, quotedName, tablesOf } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { chinook, northwind } from '#test/support/shared-data.ts';

const rich = readFileSync(new URL('../fixtures/rich-schema.sql', import.meta.url), 'utf8');

/** Whole databases paired with an empty one by one wish, while they are written to: the same rows, the same schema. */
describe('a database and all its schema', () => {
  test('one of everything, written to while it is loaded and streamed', async () => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(rich);
    const clerk = new Clerk(source);
    await clerk.work(60);
    const installation = await freshInstallation();
    const writing = clerk.keepWorking();
    await using service = installation.start();
    const pair = await installation.addPair({ source, target });
    await pair.until('streaming');
    await writing.stop();
    await clerk.work(40);
    await pair.fence();
    await expectSame(source, target);
    expect(await pair.deadLetters()).toEqual([]);
    const report = await installation.control.schemas.find(pair.id);
    expect(report).toMatchObject({ complete: true, skipped: [] });
    // Rows came through the root, and lie where the source has them.
    for (const partition of ['county.sale_old_north_1', 'county.sale_old_rest', '"Büro ""7"".x"."sale 2020"'])
      expect(await target.value(`SELECT count(*) > 0 FROM ${partition}`)).toBe(true);
    await service.stop();
  });

  for (const { title, content } of [northwind(), chinook()]) {
    test(`${title}, its foreign keys and indexes included`, async () => {
      const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
      for (const statement of [...content.schema, ...content.rows, ...content.constraints])
        await source.query(statement);
      const installation = await freshInstallation();
      await using service = installation.start();
      const pair = await installation.addPair({ source, target });
      for (const table of await tablesOf(source)) await touch(source, table);
      await pair.until('streaming');
      for (const table of await tablesOf(source)) await touch(source, table);
      await pair.fence();
      await expectSame(source, target);
      const foreignKeys = `SELECT count(*) FROM pg_constraint WHERE contype = 'f'`;
      const [there, here] = [await source.value(foreignKeys), await target.value(foreignKeys)];
      expect(here).toBe(there);
      expect(here).not.toBe('0');
      await service.stop();
    });
  }

  test.each<CrashPoint>([
    crashPoints.SUPERVISOR_TABLES_CREATED_NOT_LOADED,
    crashPoints.SUPERVISOR_LOADED_NOT_COMPLETED,
    crashPoints.SUPERVISOR_COMPLETED_NOT_NOTED,
  ])('killed at %s, it ends the same', async (point) => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(rich);
    const clerk = new Clerk(source);
    await clerk.work(20);
    const installation = await freshInstallation();
    const pair = await installation.addPair({ source, target });
    const killed = installation.startProcess({ TERRAFUSION_CRASH_POINT: point });
    await killed.exited;
    await clerk.work(10);
    await using service = installation.start();
    await pair.until('streaming');
    await clerk.work(10);
    await pair.fence();
    await expectSame(source, target);
    expect(await installation.control.schemas.find(pair.id)).toMatchObject({ complete: true, skipped: [] });
    await service.stop();
  });
});

async function expectSame(source: TestDatabase, target: TestDatabase): Promise<void> {
  expect(await describeCatalog(target)).toEqual(await describeCatalog(source));
  await expectSameRows(source, target);
}

/** Every third row of a table gets its neighbour's value in each column that allows it. */
async function touch(source: TestDatabase, table: string): Promise<void> {
  for (const column of (await columnsOf(source, table)).map((name) => `"${name}"`))
    await source
      .query(
        `UPDATE ${quotedName(table)} AS t SET ${column} = o.value FROM (
           SELECT ctid, lag(${column}) OVER (ORDER BY ctid) AS value, row_number() OVER (ORDER BY ctid) AS n FROM ${quotedName(table)}
         ) AS o WHERE o.ctid = t.ctid AND o.n % 3 = 0`,
      )
      .catch((error: unknown) => {
        if (!/violates|duplicate/.test((error as Error).message)) throw error;
      });
}

/** Works on the rich schema: small transactions over all tables, rows that point at each other, partitions that rows move between. */
class Clerk {
  readonly #source: TestDatabase;
  readonly #random = new SeededRandom(20_261_127);
  #number = 0;

  constructor(source: TestDatabase) {
    this.#source = source;
  }

  async work(transactions: number): Promise<void> {
    for (let i = 0; i < transactions; i++) await this.#transaction();
  }

  keepWorking(): { stop(): Promise<void> } {
    const stopped = new AbortController();
    const working = (async () => {
      while (!stopped.signal.aborted) await this.#transaction();
    })();
    return {
      stop: async () => {
        stopped.abort();
        await working;
      },
    };
  }

  async #transaction(): Promise<void> {
    const n = ++this.#number;
    const some = (): number => this.#random.whole(1, Math.max(1, n));
    const day = `date '2018-01-01' + ${this.#random.whole(0, 1800)}`;
    const status = this.#random.pick(['open', `it''s "closed"`, '']);
    const region = this.#random.pick(['north', `it''s`, 'south', 'Ü']);
    const statements = [
      // A circle: the owner's favourite parcel is one of the owner's own.
      `WITH o AS (INSERT INTO county.owner (name, mail, nick, status, code, trail, worth, worths, names, parent_id)
         SELECT 'owner ${n}', 'o${n}@x', 'nick${n}', '${status}', 'c${n}',
           ARRAY[ROW(ARRAY[ROW(1.5, ${n}, 'l,"', 'open')::kinds.point3, NULL], 'k')::kinds.line, NULL], kinds.price_range(${n}, ${n * 2}),
           kinds.price_ranges(kinds.price_range(1, ${n + 1})), '[a,b)', (SELECT max(id) FROM county.owner WHERE id % 7 = ${n % 7}) RETURNING id),
       p AS (INSERT INTO county.parcel (owner_id, shape, during) SELECT id, box(point(${n}, 1), point(0, 0)), tstzrange('2020-01-01', '2021-01-01') FROM o RETURNING id, owner_id)
       INSERT INTO county.sale (sold_on, region, price, owner_id) SELECT ${day}, '${region}', ${n}.25, owner_id FROM p`,
      `UPDATE county.owner SET favourite_parcel = (SELECT id FROM county.parcel WHERE owner_id = county.owner.id LIMIT 1), nick = NULL, status = '${status}'
        WHERE id = ${98 + 2 * n} AND NOT EXISTS (SELECT FROM county.owner o WHERE o.nick IS NULL AND o.status = '${status}')`,
      `UPDATE county.sale SET sold_on = ${day}, region = '${region}', note = DEFAULT WHERE id = ${some()}`,
      `DELETE FROM county.owner WHERE id = ${98 + 2 * some()} AND ${n % 5} = 0 AND NOT EXISTS (SELECT FROM county.sale s WHERE s.owner_id = county.owner.id)
         AND NOT EXISTS (SELECT FROM county.parcel p WHERE p.owner_id = county.owner.id)`,
      `INSERT INTO "Büro ""7"".x"."Select" ("order", "Order", "system_user", "a.b", "quo""te", "ünï") VALUES (${n}, 'O', 'u${n}', 'a${n}', '${status}', 'ü')`,
      `INSERT INTO "Büro ""7"".x"."group" VALUES (${n}, (SELECT "order" FROM "Büro ""7"".x"."Select" WHERE "order" <= ${some()} ORDER BY 1 DESC LIMIT 1))`,
      `UPDATE "Büro ""7"".x"."Select" SET "Order" = '${n}' WHERE "order" = ${some()}`,
      `DELETE FROM "Büro ""7"".x"."Select" WHERE "order" = ${some()} AND ${n % 11} = 0`,
      `INSERT INTO county.stay VALUES (${n % 9}, daterange('2024-01-01'::date + ${n}, '2024-01-01'::date + ${n + 1}), 'g')`,
      `INSERT INTO county.meal VALUES (${n}, ${n % 9}, daterange('2024-01-01'::date + ${n}, '2024-01-01'::date + ${n + 1}))`,
      `UPDATE county.stay SET guest = 'guest ${n}' WHERE room = ${n % 9} AND during @> '2024-01-01'::date + ${some()}`,
      `INSERT INTO county.by_index VALUES ('k${n}', 'v'); UPDATE county.by_index SET v = '${n}' WHERE k = 'k${some()}'`,
      `INSERT INTO county.by_expression VALUES (${n}, '2024-01-01'::timestamp + interval '1 day' * ${n})`,
      `INSERT INTO county.keyless VALUES (${n % 3}, 'b'); DELETE FROM county.keyless WHERE ctid = (SELECT min(ctid) FROM county.keyless WHERE a = ${n % 4})`,
      `UPDATE county.legacy SET a = ${n}, note = 'ok' WHERE b = 2`,
    ];
    await this.#source.query(`BEGIN; ${statements.join('; ')}; COMMIT`);
  }
}
