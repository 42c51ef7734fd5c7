import { beforeAll, describe, expect, test } from 'vitest';
import type { FieldProblem } from '#schemas/http/common.ts';
import type { PairPreviewReply } from '#schemas/http/pair-preview.ts';
import type { SystemTablesPage } from '#schemas/http/system-tables.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { withGateway, type Failure } from '../unit/services/gateway/fixture.ts';
import { inventory } from './pair-check-fixture.ts';

const gateway = withGateway();
let source: TestDatabase;

beforeAll(async () => {
  source = await freshDatabase('source');
  await source.query(`
    CREATE SCHEMA pacs; CREATE SCHEMA gis;
    CREATE TABLE pacs.owner (id int PRIMARY KEY, name text, ssn text, worth numeric(12,2), photo bytea);
    INSERT INTO pacs.owner VALUES (1, ' cedar ', '111-22-3333', 10.50, NULL), (2, '', '222-33-4444', 7, '\\x00ff'), (3, NULL, '333-44-5555', 1, NULL),
      (4, 'elm', NULL, 'NaN', NULL), (5, 'oak', '555-66-7777', 2, NULL);
    CREATE TABLE pacs.wide (id int PRIMARY KEY, v text);
    INSERT INTO pacs.wide SELECT 1, string_agg(md5(i::text), '') FROM generate_series(1, 20000) i;
    INSERT INTO pacs.wide VALUES (2, repeat('x', 5000));
    CREATE TABLE pacs.note (v text);
    CREATE TABLE gis.parcel (id int, part text, area int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (part, id)) PARTITION BY LIST (part);
    CREATE TABLE gis.parcel_a PARTITION OF gis.parcel FOR VALUES IN ('a');
    INSERT INTO gis.parcel (id, part) VALUES (1, 'a'), (2, 'a');
    CREATE TABLE gis."odd.Name" (id int PRIMARY KEY);
    CREATE VIEW gis.seen AS SELECT 1 AS one;
    CREATE UNLOGGED TABLE gis.scratch (id int PRIMARY KEY);
    ANALYZE;
  `);
  await gateway.ask('/api/systems', {
    method: 'POST',
    body: { name: 'preview-source', connection: { url: source.url } },
  });
});

const tables = (query = '', as: 'operator' | 'viewer' = 'operator') =>
  gateway.ask<SystemTablesPage & Failure>(`/api/systems/preview-source/tables${query}`, { as });

describe('the tables of a system', () => {
  test('come with key, columns, size and warnings; partitions, views and unlogged tables do not', async () => {
    const { status, body } = await tables();
    expect(status).toBe(200);
    expect(body.items.map(({ table }) => table)).toEqual([
      'gis."odd.Name"',
      'gis.parcel',
      'pacs.note',
      'pacs.owner',
      'pacs.wide',
    ]);
    expect(body.schemas).toEqual([
      { name: 'gis', tables: 2 },
      { name: 'pacs', tables: 3 },
    ]);
    expect(body.next_cursor).toBeNull();
    const [, parcel, note, owner, wide] = body.items;
    expect(owner).toMatchObject({ schema: 'pacs', name: 'owner', key: ['id'], estimated_rows: 5, warnings: [] });
    expect(owner!.columns[3]).toEqual({ name: 'worth', type: 'numeric(12,2)', not_null: false, key: false });
    expect(owner!.columns[0]).toEqual({ name: 'id', type: 'integer', not_null: true, key: true });
    // Of a partitioned table the partitions count; generated columns are made at each end.
    expect(parcel).toMatchObject({ key: ['part', 'id'], estimated_rows: 2, bytes: 8192 });
    expect(parcel!.columns.map(({ name }) => name)).toEqual(['id', 'part']);
    // Its long value is stored out of line.
    expect(wide!.bytes).toBeGreaterThan(100_000);
    expect(note!.warnings).toMatchObject([{ ok: false, required: true, code: 'SOURCE_TABLE_WITHOUT_KEY' }]);
  });

  test('page by page, by schema and by part of the name', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body }: { body: SystemTablesPage } = await tables(`?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(body.items.length).toBeLessThanOrEqual(2);
      seen.push(...body.items.map(({ name }) => name));
      cursor = body.next_cursor;
    }
    expect(seen).toEqual(['odd.Name', 'parcel', 'note', 'owner', 'wide']);
    expect((await tables('?schema=gis')).body.items).toHaveLength(2);
    expect((await tables('?text=S.OWN')).body.items.map(({ table }) => table)).toEqual(['pacs.owner']);
    expect((await tables('?text=%27%3B--')).body.items).toEqual([]);
    expect((await tables('?cursor=nonsense')).status).toBe(400);
    expect((await tables('?limit=201')).status).toBe(400);
    expect((await tables('?text=a%00')).status).toBe(400);
    expect((await tables('', 'viewer')).status).toBe(403);
  });
});

interface Asked {
  readonly [field: string]: unknown;
}
const preview = (table: Asked, more: Asked = {}, config: Asked = {}, as: 'editor' | 'operator' = 'editor') =>
  gateway.ask<PairPreviewReply & Failure>('/api/sync-pairs/preview', {
    method: 'POST',
    as,
    body: { pair: { source: 'preview-source', tables: [table], config }, table: table['source'], ...more },
  });

describe('a preview', () => {
  test('shows each row before and after the chain itself, and why one is refused', async () => {
    const before = await inventory(source);
    const { status, body } = await preview(
      {
        source: 'pacs.owner',
        target: 'cama.owner',
        columns: {
          owner_id: { from: 'id' },
          name: { from: 'name', transforms: ['trim', 'upper'] },
          twice: { compute: 'row.worth * decimal("2")' },
        },
        where: 'row.id != 5',
        rules: [
          { name: 'has a name', check: 'row.name != ""' },
          { name: 'cheap', check: 'row.owner_id < 4', on_failure: 'warn' },
          { name: 'first', check: 'row.owner_id == 1', on_failure: 'halt' },
        ],
      },
      { limit: 20 },
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ ok: true, problems: [], whole: true });
    expect(body.source_columns.map(({ name, key }) => [name, key])).toEqual([
      ['id', true],
      ['name', false],
      ['ssn', false],
      ['worth', false],
      ['photo', false],
    ]);
    expect(body.target_columns).toMatchObject([
      { name: 'owner_id', key: true, type: 'integer' },
      { name: 'name' },
      { name: 'twice', type: 'numeric' },
    ]);
    expect(body.rows).toMatchObject([
      {
        before: ['1', ' cedar ', '111-22-3333', '10.50', null],
        after: ['1', 'CEDAR', '21.00'],
        fate: 'written',
        warnings: [],
      },
      {
        fate: 'rejected',
        rule: 'has a name',
        consequence: 'quarantine',
        after: null,
        before: ['2', '', '222-33-4444', '7.00', '\\x00ff'],
      },
      { fate: 'rejected', rule: 'first', consequence: 'halt' },
      // NaN is no decimal: what cannot be computed is refused without a rule.
      { fate: 'rejected', rule: null, consequence: 'quarantine', reason: expect.stringContaining('twice') as string },
      { fate: 'filtered', after: null, reason: null },
    ]);
    expect(body.counts).toEqual({ read: 5, written: 1, filtered: 1, rejected: 3 });
    // Each rule by itself: the second row breaks the first rule and the last one.
    expect(body.rules).toEqual([
      { name: 'has a name', on_failure: 'quarantine', failed: 1 },
      { name: 'cheap', on_failure: 'warn', failed: 0 },
      { name: 'first', on_failure: 'halt', failed: 2 },
    ]);
    expect(await inventory(source)).toEqual(before);
  });

  test('goes by the policy of the pair where a rule has none, and counts more rows than it shows', async () => {
    const { body } = await preview(
      { source: 'pacs.owner', rules: [{ name: 'never', check: 'row.id < 0' }] },
      { limit: 1, sample: 2 },
      { on_invalid: 'halt' },
    );
    expect(body).toMatchObject({
      whole: false,
      rows: [{ consequence: 'halt' }],
      rules: [{ on_failure: 'halt', failed: 3 }],
    });
    expect(body.rows).toHaveLength(1);
    // The only one that is refused is the fifth: it is shown, in its place.
    const late = await preview({ source: 'pacs.owner', rules: [{ name: 'r', check: 'row.id != 5' }] }, { limit: 3 });
    expect(late.body.rows.map(({ before, fate }) => [before[0], fate])).toEqual([
      ['1', 'written'],
      ['2', 'written'],
      ['5', 'rejected'],
    ]);
  });

  test('hides what the pair hides', async () => {
    const masked = {
      source: 'pacs.owner',
      columns: { id: { from: 'id' }, ssn: { from: 'ssn', transforms: ['trim', { mask: { keep_last: 4 } }] } },
    };
    const { body, text } = await preview(masked, { limit: 5 });
    expect(body.rows[0]).toMatchObject({
      before: ['1', ' cedar ', '[hidden]', '10.50', null],
      after: ['1', '*******3333'],
    });
    expect(body.rows[3]!.before[2]).toBeNull();
    expect(body.source_columns[2]).toMatchObject({ name: 'ssn', hidden: true });
    expect(text).not.toContain('111-22-3333');
    const lookup = { lookup: { values: { a: 'b' }, otherwise: 'reject' } };
    const refused = await preview({
      ...masked,
      columns: { id: { from: 'id' }, ssn: { from: 'ssn', transforms: [lookup, 'trim', { hash: {} }] } },
    });
    expect(refused.body.rows[0]!.reason).toContain('"[hidden]" is not in the lookup');
    expect(refused.text).not.toContain('111-22-3333');
    // It is there in the open as well: nothing is to be hidden.
    const open = await preview({ ...masked, columns: { ...masked.columns, plain: { from: 'ssn' } } });
    expect(open.body.rows[0]!.before[2]).toBe('111-22-3333');
  });

  test('says what is wrong by field, beside the rows as they are', async () => {
    const { status, body } = await preview({
      source: 'pacs.owner',
      columns: { id: { from: 'id' }, x: { compute: 'row.nmae' }, y: { from: 'gone' } },
      rules: [{ name: 'r', check: 'row.id <' }],
    });
    expect([status, body.ok]).toEqual([200, false]);
    expect(body.problems.map(({ path, code }: FieldProblem) => [path, code]).sort()).toEqual([
      ['pair.tables[0].columns.x.compute', 'PAIR_EXPRESSION_INVALID'],
      ['pair.tables[0].columns.y.from', 'SOURCE_COLUMN_MISSING'],
      ['pair.tables[0].rules[0].check', 'PAIR_EXPRESSION_INVALID'],
    ]);
    expect(body.rows[0]).toMatchObject({ before: ['1', ' cedar ', '111-22-3333', '10.50', null], after: null });
  });

  test('passes over very large rows and cuts long values; takes tables of every form', async () => {
    const wide = await preview({ source: 'pacs.wide' });
    expect(wide.body.rows.map(({ before }) => before[0])).toEqual(['2']);
    expect(wide.body.rows[0]!.after![1]).toBe(`${'x'.repeat(2000)}…`);
    expect((await preview({ source: 'gis.parcel' })).body.rows.map(({ after }) => after)).toEqual([
      ['1', 'a'],
      ['2', 'a'],
    ]);
    expect((await preview({ source: 'gis."odd.Name"' })).body).toMatchObject({ ok: true, rows: [], whole: true });
  });

  test('of what is not there, or by who may not, is refused', async () => {
    expect((await preview({ source: 'pacs.gone' })).body.error.code).toBe('SOURCE_TABLE_MISSING');
    expect((await preview({ source: 'pacs.owner' }, { table: 'pacs.other' })).body.error.details.fields).toMatchObject([
      { path: 'table' },
    ]);
    expect((await preview({ source: 'pacs.owner' }, { limit: 21 })).status).toBe(400);
    expect((await preview({ source: 'pacs.owner' }, {}, {}, 'operator')).status).toBe(403);
    const nowhere = await gateway.ask<Failure>('/api/sync-pairs/preview', {
      method: 'POST',
      body: { pair: { source: 'none', tables: [{ source: 'a.b' }] }, table: 'a.b' },
    });
    expect(nowhere.body.error.details.fields).toMatchObject([{ path: 'pair.source' }]);
  });

  test('does not wait for who has locked the table', async () => {
    const other = await source.connect();
    await other.query('BEGIN; LOCK TABLE pacs.note IN ACCESS EXCLUSIVE MODE');
    const { status, body } = await preview({ source: 'pacs.note', rules: [{ name: 'r', check: 'row.v != ""' }] });
    await other.query('ROLLBACK');
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body.error.message).toContain('pacs.note');
    expect((await preview({ source: 'pacs.note' })).status).toBe(200);
  });
});
