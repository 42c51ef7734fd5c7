import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { postgresSettings } from '#connectors/postgres/settings.ts';
import { postgresSource } from '#connectors/postgres/source/source.ts';
import type { Source } from '#connectors/contract/source.ts';
import { BlockReader, OP_NAMES } from '#schemas/block/index.ts';
import { pairInput, type PairDefinition } from '#schemas/pairs.ts';
import { Secret } from '#schemas/secret.ts';
import { parseTableName } from '#schemas/tables.ts';
import { flawedRows } from '#services/demo/county.ts';
import { demoRoles, ensureDemoDatabases, PACS_DATABASE } from '#services/demo/databases.ts';
import { demoPair } from '#services/demo/pair.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { checkPair } from '#services/stream-processor/check.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import { startPostgres, type TestPostgres } from '#test/support/postgres.ts';

const county = { seed: 3, parcels: 1500 };
const password = new Secret('demo-password');
const pair = pairInput.parse(demoPair);
const definition: PairDefinition = { version: 1, tables: pair.tables, config: pair.config };
const tables = pair.tables!.map(({ source }) => parseTableName(source));
const context: ConnectorContext = { log: silentLog, clock: systemClock, signal: new AbortController().signal };

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: false } });
  await ensureDemoDatabases({
    adminUrl: (database) => server.url(database),
    passwords: { source: password, target: password, clerk: password },
    county,
    log: silentLog,
  });
}, 60_000);
afterAll(() => server.stop());

function openSource(): Source {
  const url = server.url(PACS_DATABASE, { user: demoRoles.source, password: password.reveal() });
  return postgresSource(postgresSettings.parse({ url }));
}

describe('the demo pair', () => {
  test('is without a problem on the demo county', async () => {
    const shapes = await openSource().describe(tables, context);
    expect(
      checkPair(
        definition,
        shapes.map(({ table }) => table),
      ),
    ).toEqual([]);
  });

  test('refuses exactly the rows that break a rule on purpose', async () => {
    const source = openSource();
    const processor = compilePair(definition);
    const refused: string[] = [];
    const written: Record<string, number> = {};
    await using snapshot = await source.openSnapshot(context);
    await using reader = await snapshot.openReader(context);
    for (const shape of await source.describe(tables, context)) {
      for await (const { bytes } of reader.blocks(shape, { by: 'whole' }, 0, context.signal)) {
        const { bytes: out, deadLetters } = processor.process(bytes, 0n);
        refused.push(...deadLetters.map(({ rule, row }) => `${rule ?? ''} ${row['prop_id'] ?? ''}`));
        const block = BlockReader.open(out);
        while (block.nextTransaction()) {
          while (block.nextChange()) {
            expect(OP_NAMES[block.op]).toBe('insert');
            const name = block.header.tables[block.table]!.name;
            written[name] = (written[name] ?? 0) + 1;
          }
        }
      }
    }
    expect(refused.sort()).toEqual(
      [
        'a valid sale has a price 1200',
        'land value is not negative 13',
        'market value = land + improvements 77',
        'pin has 12 digits 500',
      ].sort(),
    );
    expect(refused).toHaveLength(flawedRows(county));
    expect(Object.keys(written).sort()).toEqual(pair.tables!.map(({ target }) => parseTableName(target!).name).sort());
    // Personal property and minerals are not parcels.
    expect(written['parcel']).toBeLessThan(county.parcels);
    expect(written['valuation']).toBe(county.parcels - 2);
  });
});
