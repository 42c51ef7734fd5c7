import { platform } from 'node:os';
import { expect, test } from 'vitest';
import { peakRssMiB } from '#test/bench/proc.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

/** Of each table, in 16 kB: more than the process may ever hold. */
const ROWS = 10_000;

test('Promise 6: a load of rows of 16 kB, as they are and through a chain, takes no more memory than narrow ones', async ({
  skip,
}) => {
  skip(platform() !== 'linux', 'peak memory is read from /proc');
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  for (const table of ['plain', 'mapped'])
    await source.query(`CREATE TABLE ${table} (id int PRIMARY KEY, kind text, body text);
        ALTER TABLE ${table} ALTER body SET STORAGE EXTERNAL;
        INSERT INTO ${table} SELECT n, 'k' || n % 7, repeat(md5(n::text), 512) FROM generate_series(1, ${ROWS}) n`);
  const installation = await freshInstallation();
  const pair = await installation.addPair({
    source,
    target,
    tables: [
      { source: 'public.plain' },
      {
        source: 'public.mapped',
        columns: { id: { from: 'id' }, kind: { from: 'kind', transforms: ['upper'] }, body: { from: 'body' } },
      },
    ],
    config: { max_parallel_tables: 2 },
  });
  const service = installation.startProcess();
  await pair.until('streaming', 180_000);
  expect(peakRssMiB(service.pid)).toBeLessThan(300);
  await service.stop();
  const digest = (database: TestDatabase, table: string) =>
    database.query(`SELECT count(*), sum(hashtextextended(body, id)) FROM ${table}`);
  for (const table of ['plain', 'mapped']) expect(await digest(target, table)).toEqual(await digest(source, table));
});
