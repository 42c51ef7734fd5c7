import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Installation, RunningService } from '#test/support/installation.ts';
import { tablesOf } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

describe('before the first start', () => {
  let installation: Installation;
  let service: RunningService;

  beforeAll(async () => {
    installation = await freshInstallation();
    service = installation.start();
  });

  afterAll(() => service.stop());

  const audited = async (pairId: string, action: string) =>
    (await installation.control.audit.list({ entityId: pairId, action }, { limit: 10, cursor: undefined })).items;

  test('all that is in the way is told at once, with the fixes, and nothing is made', async () => {
    const ends = { source: await freshDatabase('source'), target: await freshDatabase('target') };
    await ends.source.query(`CREATE TABLE note (body text); CREATE TABLE parcel (id int PRIMARY KEY, pin text);
      INSERT INTO parcel VALUES (1, 'far too long')`);
    await ends.target.query(`CREATE TABLE parcel (id int PRIMARY KEY, pin varchar(5), must int NOT NULL);
      CREATE TABLE filled (body text); INSERT INTO filled VALUES ('x')`);
    const before = await tablesOf(ends.target);
    const pair = await installation.addPair({
      ...ends,
      tables: [{ source: 'public.note', target: 'public.filled' }, { source: 'public.parcel' }],
    });
    const error = await pair.untilError('SOURCE_TABLE_WITHOUT_KEY');
    expect(error).toMatch(/4 things are in the way/);
    for (const told of [
      /tables\[0\]\.source: public\.note has no primary key.*REPLICA IDENTITY FULL/,
      /tables\[0\]\.target: The target table public\.filled holds rows already \(TARGET_TABLE_NOT_EMPTY\)/,
      /public\.parcel\.must must have a value/,
      /public\.parcel\.pin: 1 value is longer than 5, of all 1 rows\. \(TARGET_ROW_REJECTED\) Widen/,
    ])
      expect(error).toMatch(told);
    expect((await pair.state()).state).toBe('failed');
    expect(await tablesOf(ends.target)).toEqual(before);
    expect(await ends.source.query('SELECT pubname FROM pg_publication')).toEqual([]);
    expect(await audited(pair.id, 'pair.checked')).toEqual([]);
  });

  test('what is lossy, or worth knowing, is kept with the pair and in the audit trail, and the pair runs', async () => {
    const ends = { source: await freshDatabase('source'), target: await freshDatabase('target') };
    await ends.source.query(
      `CREATE TABLE parcel (id int PRIMARY KEY, value numeric, pin text); INSERT INTO parcel VALUES (1, 1.25, 'a')`,
    );
    await ends.target.query(`CREATE TABLE parcel (id int PRIMARY KEY, value numeric(8,1), pin text UNIQUE)`);
    const pair = await installation.addPair(ends);
    await pair.until('streaming');
    expect(await ends.target.query('SELECT value FROM parcel')).toEqual([{ value: '1.3' }]);
    const { checked } = await installation.control.pairs.get(pair.id);
    expect(checked).toMatchObject({
      version: 1,
      load: 1,
      warnings: [
        { table: 'public.parcel', column: null, name: 'unique:public.parcel(pin)' },
        {
          table: 'public.parcel',
          column: 'value',
          name: 'proof',
          message: expect.stringMatching(/^numeric to numeric\(8,1\) is lossy: .*refused/) as string,
        },
      ],
    });
    expect(await audited(pair.id, 'pair.checked')).toMatchObject([
      { actor: 'sync-service', after: { load: 1, warnings: checked!.warnings } },
    ]);
    const scratch = `SELECT nspname FROM pg_namespace WHERE nspname LIKE '\\_terrafusion\\_%'
      UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'terrafusion\\_probe%'`;
    expect(await ends.target.query(scratch)).toEqual([]);
  });
});
