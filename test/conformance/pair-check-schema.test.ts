import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { freshDatabase } from '#test/support/servers.ts';
import { checkOf, inventory } from './pair-check-fixture.ts';

const rich = readFileSync(new URL('../fixtures/rich-schema.sql', import.meta.url), 'utf8');

/** What would become of the source's schema is told before anything is made. (Promise 9) */
describe("the plan of the target's schema, in the check of a pair", () => {
  test('everything that the load would make is in it, what it would not is told with reason and fix, and nothing is left behind', async () => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(rich);
    await source.query(`CREATE FUNCTION public.fold(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';
      CREATE TABLE public.folded (id int PRIMARY KEY, name text CHECK (public.fold(name) <> 'none'));
      CREATE INDEX folded_name ON public.folded (public.fold(name)); CREATE INDEX folded_plain ON public.folded (name)`);
    const before = await inventory(target);
    const { schema, ok } = await checkOf({ source, target, plan: true });
    expect(ok).toBe(true);
    expect(schema!.made).toEqual(
      expect.arrayContaining(['table public.folded', 'index folded_plain of public.folded']),
    );
    expect(schema!.skipped.map(({ object }) => object)).toEqual(
      expect.arrayContaining([
        'index folded_name of public.folded',
        'check constraint folded_name_check of public.folded',
      ]),
    );
    for (const { reason, fix } of schema!.skipped.filter(({ object }) => object.includes('folded'))) {
      expect(reason).toContain('fold');
      expect(fix).toContain('Create the function at the target');
    }
    expect(await inventory(target)).toEqual(before);
  });

  test('under the names of a mapping; what is there already is found, and nothing is planned where nothing is asked', async () => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(`CREATE TABLE owner (id int PRIMARY KEY, name text);
      CREATE TABLE deed (id int PRIMARY KEY, owner int REFERENCES owner, note text); CREATE INDEX deed_note ON deed (note)`);
    await target.query('CREATE TABLE owner (id int PRIMARY KEY, name text)');
    const tables = [{ source: 'public.owner' }, { source: 'public.deed', target: 'cama.deed', exclude: ['note'] }];
    const { schema } = await checkOf({ source, target, tables, plan: true });
    expect(schema).toMatchObject({
      made: expect.arrayContaining(['table cama.deed']) as unknown,
      found: expect.arrayContaining(['table public.owner']) as unknown,
      skipped: expect.arrayContaining([
        expect.objectContaining({ object: 'index deed_note of public.deed' }),
        expect.objectContaining({
          object: 'foreign key deed_owner_fkey of cama.deed',
          reason: 'It points to public.owner, which was at the target before us and gets nothing added.',
        }),
      ]) as unknown,
    });
    expect((await checkOf({ source, target, tables })).schema).toBeNull();
    expect((await checkOf({ source, target, tables, plan: true, config: { create_tables: false } })).schema).toBeNull();
  });
});
