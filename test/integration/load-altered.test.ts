import { describe, expect, test } from 'vitest';
import { crashPoints } from '#services/kernel/crash-points.ts';
import { killAt } from '#test/chaos/killer.ts';
import { describeCatalog } from '#test/support/catalog.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Installation, NewTestPair, TestPair } from '#test/support/installation.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

const tableSql = (
  name: string,
): string => `CREATE TABLE ${name} (id int PRIMARY KEY, situs varchar(20), value int, gone text DEFAULT 'x');
  INSERT INTO ${name} SELECT n, 'Maple ' || n, n FROM generate_series(1, 200) n`;

/** Between two tries of a load the source's tables are altered. (CHECKLIST 20) */
describe('tables that are altered while their load is interrupted', () => {
  interface Interrupted {
    readonly source: TestDatabase;
    readonly target: TestDatabase;
    readonly pair: TestPair;
    readonly installation: Installation;
  }

  /** Ten chunks each. All of the tables but the last are there, and of that one some, when it is killed. */
  async function interrupted(tables: readonly string[], more: Partial<NewTestPair> = {}): Promise<Interrupted> {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(`${tables.map(tableSql).join(';')}; ANALYZE`);
    const installation = await freshInstallation();
    const config = { load_chunk_rows: 20, max_parallel_operations: 2, max_parallel_tables: 2, ...more.config };
    const pair = await installation.addPair({ source, target, ...more, config });
    await killAt(installation, crashPoints.LOADER_CHUNK_COMMITTED_NOT_NOTED, tables.length * 10 - 5);
    const there = await target.value<number>(`SELECT count(*)::int FROM ${tables.at(-1)!}`);
    expect(there).toBeGreaterThan(0);
    expect(there).toBeLessThan(200);
    return { source, target, pair, installation };
  }

  async function goesOn({ installation }: Interrupted, work: () => Promise<void>): Promise<void> {
    const service = installation.startProcess();
    try {
      await work();
    } finally {
      await service.stop();
    }
  }

  /** The target holds what the source does, and what was not touched was not read again. */
  const expectSame = async ({ source, target, pair }: Interrupted, tables?: readonly string[]): Promise<void> => {
    await pair.until('streaming');
    await pair.fence();
    await expectSameRows(source, target, tables);
    expect(await pair.deadLetters()).toEqual([]);
    expect(await describeCatalog(target)).toEqual(await describeCatalog(source));
  };

  /** By table. */
  const alterations: Readonly<Record<string, string>> = {
    added: `ALTER TABLE added ADD zone text NOT NULL DEFAULT 'R1', ADD note text`,
    dropped: 'ALTER TABLE dropped DROP COLUMN gone',
    gone: 'DROP TABLE gone',
    moved: `ALTER TABLE moved RENAME TO lot; CREATE TABLE moved (pin text PRIMARY KEY); INSERT INTO moved VALUES ('a')`,
    rekeyed:
      'ALTER TABLE rekeyed DROP CONSTRAINT rekeyed_pkey, ALTER value SET NOT NULL, ADD PRIMARY KEY (value); UPDATE rekeyed SET id = 1',
    remade: `DROP TABLE remade; CREATE TABLE remade (pin text PRIMARY KEY, id bigint); INSERT INTO remade VALUES ('a', 1)`,
    renamed: 'ALTER TABLE renamed RENAME situs TO address; ALTER TABLE renamed ADD situs date',
    retyped: `ALTER TABLE retyped ALTER value TYPE text USING 'v' || value`,
  };

  test('begin anew as they are by then, whatever was done to them; the others go on', async () => {
    const load = await interrupted(['aside', ...Object.keys(alterations)]);
    const chunks = () =>
      load.target.query(
        `SELECT chunk, finished_at::text FROM _terrafusion.load_chunks WHERE table_name = 'aside' AND finished_at IS NOT NULL ORDER BY 1`,
      );
    const before = await chunks();
    expect(before).toHaveLength(10);
    for (const sql of Object.values(alterations)) await load.source.query(sql);
    await goesOn(load, async () => {
      await load.pair.until('streaming');
      await untilTaken(load);
      await expectSame(load);
      expect(await chunks()).toEqual(before);
    });
  });

  /** What came while it was loaded comes beside the stream. */
  async function untilTaken({ pair, installation }: Interrupted): Promise<void> {
    await pair.fence();
    await eventually(
      async () => {
        const { syncs, schemaPending } = await installation.control.pairs.get(pair.id);
        return syncs.length === 0 && !schemaPending;
      },
      { within: 60_000, what: 'new tables to be taken in' },
    );
  }

  test('a table that the pair names, and that is gone, halts it by name', async () => {
    const load = await interrupted(['parcel'], { tables: [{ source: 'public.parcel' }] });
    await load.source.query('ALTER TABLE parcel RENAME TO lot');
    await goesOn(load, async () => {
      expect(await load.pair.untilError('SOURCE_TABLE_MISSING')).toContain('public.parcel');
      await load.source.query('ALTER TABLE lot RENAME TO parcel');
      await load.installation.control.runs.setDesired(load.pair.id, 'running');
      await expectSame(load);
    });
  });

  test('a table that is gone at the target halts it, and is not made anew without the rows that it had', async () => {
    const load = await interrupted(['first', 'second']);
    await load.target.query('DROP TABLE first');
    await goesOn(load, async () => {
      await load.pair.until('failed');
      expect((await load.pair.state()).error).toMatch(/^TARGET_TABLE_MISSING:/);
    });
  });

  test('a target that has nothing of it any more is loaded from the beginning', async () => {
    const load = await interrupted(['first', 'second']);
    await load.target.query('DROP SCHEMA _terrafusion CASCADE; DROP TABLE first, second');
    await goesOn(load, () => expectSame(load));
  });

  test('something at the target that is in the way halts it, and nothing is mixed', async () => {
    const load = await interrupted(['parcel']);
    await load.target.query('CREATE VIEW of_theirs AS SELECT gone FROM parcel');
    await load.source.query('ALTER TABLE parcel DROP COLUMN gone');
    await goesOn(load, async () => {
      expect(await load.pair.untilError('SCHEMA_CHANGE_IMPOSSIBLE')).toContain('of_theirs');
      await load.target.query('DROP VIEW of_theirs');
      await load.installation.control.runs.setDesired(load.pair.id, 'running');
      await expectSame(load);
    });
  });
});
