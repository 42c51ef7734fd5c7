import type { TestDatabase } from '#test/support/database.ts';
import type { Shape } from './sides/pipeline.ts';
import { MARKER, marker, parcels } from './workloads.ts';

/*
 * P1: the same inserts through three chains. All of them keep every row, so that all do the same work but for the chain; what they made of
 * the rows is checked and undone before the ends are compared.
 */

async function none(target: TestDatabase, what: string, condition: string): Promise<void> {
  const wrong = await target.value<number>(`SELECT count(*)::int FROM parcels WHERE (${condition}) IS NOT TRUE`);
  if (wrong > 0) throw new Error(`${wrong} rows in which ${what}`);
}

const noop: Shape = {
  name: 'no-op',
  targetSchema: parcels,
  tables: [{ source: 'public.parcels' }, { source: MARKER }],
  undo: () => Promise.resolve(),
};

/** In the order of the source's, as people write them. */
const columns = ['id', 'situs', 'owner', 'land', 'improvement', 'year', 'zoning', 'notes', 'wkt', 'updated_at'];
/** What three of them are called at the target. */
const renamed: Readonly<Record<string, string>> = { situs: 'address', owner: 'owner_name', notes: 'remarks' };

const renameAndFilter: Shape = {
  name: 'rename + filter',
  targetSchema: `${marker} CREATE TABLE parcels (id bigint PRIMARY KEY, address text, owner_name text, land numeric(14, 2),
    improvement numeric(14, 2), year int, zoning text, remarks text, wkt text, updated_at timestamptz);`,
  tables: [
    {
      source: 'public.parcels',
      columns: Object.fromEntries(columns.map((name) => [renamed[name] ?? name, { from: name }])),
      // Of a value, not of a constant: it has to be looked at in every row.
      where: 'row.year >= 1900 && row.zoning != "vacated"',
    },
    { source: MARKER },
  ],
  undo: async (target) => {
    await target.query(`ALTER TABLE parcels RENAME address TO situs; ALTER TABLE parcels RENAME owner_name TO owner;
      ALTER TABLE parcels RENAME remarks TO notes`);
  },
};

const computeAndRule: Shape = {
  name: 'compute + rule',
  targetSchema: `${marker} CREATE TABLE parcels (id bigint PRIMARY KEY, situs text, owner text, land numeric(14, 2),
    improvement numeric(14, 2), total numeric(15, 2), year int, zoning text, notes text, wkt text, updated_at timestamptz);`,
  tables: [
    {
      source: 'public.parcels',
      columns: {
        ...Object.fromEntries(columns.map((name) => [name, { from: name }])),
        total: { compute: 'row.land + row.improvement' },
      },
      rules: [{ name: 'worth something', check: 'row.total > 0 && row.owner != ""', on_failure: 'quarantine' }],
    },
    { source: MARKER },
  ],
  undo: async (target) => {
    await none(target, 'the total is wrong', 'total = land + improvement');
    await target.query('ALTER TABLE parcels DROP COLUMN total');
  },
};

export const shapes: readonly Shape[] = [noop, renameAndFilter, computeAndRule];
