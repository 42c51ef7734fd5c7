import { beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { typeCases, unreadable } from './cases/index.ts';
import { type MatrixResult, runMatrix } from './matrix.ts';
import { bare } from './tables.ts';

let source: TestDatabase;
let result: MatrixResult;

beforeAll(async () => {
  source = await freshDatabase('source');
  const target = await freshDatabase('target');
  result = await runMatrix(typeCases, { source, target, installation: await freshInstallation() });
});

describe('CHECKLIST 22 to 25: what PostgreSQL prints at the source it prints at the target (Promise 4)', () => {
  test.each(typeCases.map((type) => [type.name, type] as const))('%s', (_, type) => {
    expect(result.loaded.get(type)).toEqual({});
    expect(result.streamed.get(type)).toEqual({});
  });

  test('nothing became a dead letter', () => {
    expect(result.letters).toEqual([]);
  });
});

test('no type of the server is missing from the table', async () => {
  const types = await source.query<{ type: string }>(
    `SELECT t.oid::regtype::text AS type FROM pg_type t LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
      WHERE t.typisdefined AND t.typtype IN ('b', 'r', 'm') AND t.typcategory <> 'A' AND (t.typnamespace = 'pg_catalog'::regnamespace OR d.objid IS NOT NULL)`,
  );
  const known = await source.query<{ type: string }>(
    `SELECT type::regtype::text AS type FROM unnest($1::text[]) AS type`,
    // The index storage types of extensions are never a column's.
    [[...typeCases.map(bare), ...unreadable, 'public.ltree_gist', '"ext hstore".ghstore', 'public.intbig_gkey']],
  );
  const named = new Set(known.map(({ type }) => type));
  expect(types.map(({ type }) => type).filter((type) => !named.has(type))).toEqual([]);
});
