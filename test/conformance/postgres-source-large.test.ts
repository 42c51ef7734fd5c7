import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freshDatabase } from '#test/support/servers.ts';
import { TestStream } from './postgres-source-fixture.ts';

const run = promisify(execFile);
const ROWS = 1_000_000;

interface Outcome {
  readonly changes: number;
  readonly sum: string;
  readonly largest: number;
  readonly maxRssMib: number;
}

test('Promise 6, CHECKLIST 3: a transaction of a million rows takes a million rows of time, not of memory', async () => {
  const database = await freshDatabase('source');
  await database.query(`CREATE TABLE parcels (id bigint PRIMARY KEY, situs text, owner text, land numeric(14, 2), improvement numeric(14, 2),
    year int, zoning text, notes text, wkt text, changed timestamptz)`);
  const stream = await TestStream.create(database, ['parcels']);
  await database.query(`INSERT INTO parcels SELECT g, g || ' Main Street', 'Owner ' || g % 1000, g * 1.5, g / 3.0, 1900 + g % 120, 'R-' || g % 9,
    repeat('note ', 8), 'POINT(' || g || ' ' || g || ')', now() FROM generate_series(1, ${ROWS}) g`);
  const child = fileURLToPath(new URL('postgres-source-large.child.ts', import.meta.url));
  const identity = { ...stream.identity, consistentPoint: String(stream.identity.consistentPoint) };
  const { stdout } = await run(process.execPath, [child, database.url, JSON.stringify(identity), String(ROWS)]);
  const outcome = JSON.parse(stdout) as Outcome;
  expect(outcome).toMatchObject({ changes: ROWS, sum: String((BigInt(ROWS) * BigInt(ROWS - 1)) / 2n) });
  expect(outcome.largest).toBeLessThan(300 * 1024);
  // The transaction has some 200 MB; most of this is Node itself.
  expect(outcome.maxRssMib).toBeLessThan(200);
});
