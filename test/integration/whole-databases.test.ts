import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { describeCatalog } from '#test/support/catalog.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { expectSame, wholeDatabases } from './whole-databases.ts';

const PAGE = fileURLToPath(new URL('../../infra/docs/whole-databases.md', import.meta.url));
/** A line a database, once it has come through. */
const lines = new Map<string, string>();

/** Whole databases paired with an empty one by one wish, while they are written to: the same rows, the same schema. */
describe('a whole database', () => {
  test.each(wholeDatabases.map((database) => [database.title, database] as const))('%s', async (title, database) => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    const writing = await database.make(source);
    const installation = await freshInstallation();
    const keeps = writing.keepWorking();
    await using service = installation.start();
    const pair = await installation.addPair({ source, target });
    await pair.until('streaming', 120_000);
    await keeps.stop();
    await writing.work();
    await pair.fence(120_000);
    await expectSame(source, target);
    expect(await pair.deadLetters()).toEqual([]);
    const report = (await installation.control.schemas.find(pair.id))!;
    expect(report.complete).toBe(true);
    lines.set(title, lineOf(title, database.what, await describeCatalog(target), report.skipped));
    await service.stop();
  });

  // After the others. Where sample data is not there others stand in, of which the page says nothing.
  afterAll(() => {
    if (lines.size < wholeDatabases.length || !wholeDatabases.every(({ real }) => real)) return;
    const page = pageOf([...lines.values()]);
    if (process.env['WRITE_PAGES'] === '1') writeFileSync(PAGE, page);
    expect(existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '').toBe(page);
  });
});

function lineOf(
  title: string,
  what: string,
  catalog: readonly string[],
  skipped: readonly { readonly object: string; readonly reason: string }[],
): string {
  const count = (kind: string): string => String(catalog.filter((line) => line.startsWith(`${kind} `)).length);
  const left = skipped.length === 0 ? 'nothing' : skipped.map(({ object }) => `\`${object}\``).join(', ');
  return `| ${title} | ${what} | ${['table', 'column', 'constraint', 'index', 'type', 'sequence'].map(count).join(' | ')} | = | = | ${left} |`;
}

function pageOf(rows: readonly string[]): string {
  return [
    '# Whole databases: what arrives',
    '',
    'Written by `WRITE_PAGES=1 npx vitest run test/integration/whole-databases.test.ts`; do not edit by hand.',
    '',
    'Each database is paired with an empty one by one wish (`POST /api/sync-pairs` without `tables`), while it is written to, and afterwards, too. Then both ends are compared:',
    'every row as PostgreSQL prints it, and every table, column, default, constraint, index, type, sequence and comment as its catalog prints it. `=`: equal.',
    'Figures are what the target has then, partitions and what belongs to them included.',
    '',
    '| database | what is in it | tables | columns | constraints | indexes | types | sequences | rows | schema | not carried over |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
