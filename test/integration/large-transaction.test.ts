import { platform } from 'node:os';
import { expect, test } from 'vitest';
import { peakRssMiB } from '#test/bench/proc.ts';
import { eventually } from '#test/support/eventually.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation, loneSource } from '#test/support/servers.ts';

const ROWS = 1_000_000;

test('a transaction of a million rows: flat memory, and nothing to be seen before all of it is', async ({ skip }) => {
  skip(platform() !== 'linux', 'peak memory is read from /proc');
  const [source, target] = [await loneSource(), await freshDatabase('target')];
  await source.query(
    'CREATE TABLE parcel (id bigint PRIMARY KEY, situs text, land numeric(14, 2), notes text, seen timestamptz)',
  );
  const installation = await freshInstallation();
  const service = installation.startProcess();
  const pair = await installation.addPair({ source, target });
  await pair.until('streaming');

  await source.query(
    `INSERT INTO parcel SELECT n, n || ' NW Maple Street', n * 0.25, md5(n::text), timestamptz '2026-01-01' + n * interval '1 second'
     FROM generate_series(1, ${ROWS}) AS n`,
  );
  // Promise 3: every look sees all rows or none. One statement sees one moment.
  const counts = new Set<number>();
  await eventually(
    async () => {
      const count = await target.value(
        'SELECT CASE WHEN EXISTS (SELECT FROM parcel) THEN (SELECT count(*) FROM parcel) ELSE 0 END',
      );
      counts.add(Number(count));
      return Number(count) > 0;
    },
    { within: 110_000, every: 20, what: 'the transaction to arrive' },
  );
  expect([...counts].filter((count) => count !== 0)).toEqual([ROWS]);
  await pair.fence();
  // Promise 6
  expect(peakRssMiB(service.pid)).toBeLessThan(300);
  await expectSameRows(source, target);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
});
