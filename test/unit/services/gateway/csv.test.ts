import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { csvCell, csvLine } from '#services/gateway/csv.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway } from './fixture.ts';

/** Reads RFC 4180, cell by cell, as a spreadsheet does. */
function parseCsv(text: string): string[][] {
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/y;
  const rows: string[][] = [];
  let row: string[] = [];
  while (field.lastIndex < text.length) {
    const [, quoted, plain, end] = field.exec(text)!;
    row.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

describe('a cell', () => {
  test.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['\r=1', `"'\r=1"`],
    ['\n=1', `"'\n=1"`],
    ['＝1+1', "'＝1+1"],
    ['a=1', 'a=1'],
    ['a,b', '"a,b"'],
    ['say "no"', '"say ""no"""'],
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    [null, ''],
    [undefined, ''],
    [0, '0'],
    [-5, "'-5"],
    [{ a: '=1' }, '"{""a"":""=1""}"'],
  ])('%j is %j', (value, cell) => {
    expect(csvCell(value)).toBe(cell);
  });

  test('comes back as it was from whoever reads RFC 4180, but for the mark before a formula', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 2, maxLength: 4 }), (cells) => {
        const [line] = parseCsv(csvLine(cells));
        expect(line!.map((cell, nth) => (cell === `'${cells[nth]!}` ? cells[nth] : cell))).toEqual(cells);
        for (const cell of line!) expect(cell).not.toMatch(/^[=+\-@\t\r\n]/);
      }),
    );
  });
});

const gateway = withGateway();
const csv = { headers: { accept: 'text/csv' } };

describe('lists as tables', () => {
  test('of the trail hold everything that matches, many pages of it, in the order of the list', async () => {
    await gateway.control.database.transaction(async () => {
      for (let nth = 0; nth < 450; nth += 1) {
        await gateway.control.audit.append({
          ...{ actor: nth === 7 ? '=cmd|calc' : 'a test', action: 'export.me', outcome: 'success' },
          after: { nth, text: 'with "quotes", and commas' },
        });
      }
    });
    const reply = await gateway.ask('/api/audit?action=export.me&format=csv', { as: 'viewer' });
    expect(reply.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(reply.headers['content-disposition']).toBe('attachment; filename="audit.csv"');
    const [titles, ...lines] = parseCsv(reply.text);
    expect(titles).toEqual('seq,at,actor,action,entity,entity_id,outcome,request_id,before,after,hash'.split(','));
    expect(lines).toHaveLength(450);
    const nths = lines.map((line) => (JSON.parse(line[9]!) as { nth: number }).nth);
    expect(nths).toEqual(Array.from({ length: 450 }, (_, nth) => 449 - nth));
    expect(lines.at(-8)![2]).toBe("'=cmd|calc");
    const some = await gateway.ask('/api/audit?action=export.me&format=csv&limit=210', { as: 'viewer' });
    expect(parseCsv(some.text)).toHaveLength(211);
    const none = await gateway.ask('/api/audit?action=nothing', { as: 'viewer', ...csv });
    expect(none.text.trimEnd().split('\r\n')).toHaveLength(1);
  });

  test('are had by the Accept header, and JSON where that is wanted as much', async () => {
    const typeOf = async (accept: string, query = '') =>
      (await gateway.ask(`/api/sync-operations?limit=1${query}`, { headers: { accept } })).headers['content-type'];
    expect(await typeOf('text/csv')).toContain('text/csv');
    expect(await typeOf('text/csv;q=0.9, application/json;q=0.5')).toContain('text/csv');
    expect(await typeOf('application/json, text/csv')).toContain('json');
    expect(await typeOf('text/html,application/xhtml+xml,*/*;q=0.8')).toContain('json');
    expect(await typeOf('text/csv;q=0')).toContain('json');
    expect(await typeOf('text/csv', '&format=json')).toContain('json');
  });

  test('of operations and dead letters name what they hold', async () => {
    const pair = await makePair(gateway.control, 'tabled');
    await gateway.control.operations.create({ pairId: pair.id, type: 'full', requestedBy: '@admin' });
    const table = { schema: 'a', name: 'b' };
    await gateway.control.deadLetters.store(pair.id, [
      {
        ...{ position: '1:0/1:0', stage: 'process', source_table: table, target_table: table, op: 'insert' },
        ...{ code: 'PAIR_ROW_INVALID', reason: '=no', row: { id: '=1' }, rule: undefined, before: undefined },
      },
    ]);
    const operations = parseCsv((await gateway.ask('/api/sync-operations?pair=tabled', csv)).text);
    expect(operations).toHaveLength(2);
    const cell = (table_: readonly (readonly string[])[], title: string) => table_[1]![table_[0]!.indexOf(title)];
    expect(cell(operations, 'started_by')).toBe("'@admin");
    expect(cell(operations, 'pair')).toBe('tabled');
    const letters = parseCsv((await gateway.ask('/api/dead-letters?pair=tabled', { ...csv, as: 'operator' })).text);
    expect([cell(letters, 'reason'), cell(letters, 'row')]).toEqual(["'=no", '{"id":"=1"}']);
    expect((await gateway.ask('/api/dead-letters?format=csv', { as: 'viewer' })).status).toBe(403);
  });

  test('that go wrong before anything is sent are told in our envelope', async () => {
    const reply = await gateway.ask('/api/audit?format=csv&cursor=nonsense');
    expect([reply.status, reply.headers['content-type']]).toEqual([400, 'application/json; charset=utf-8']);
    expect((await gateway.ask('/api/audit?format=xml')).status).toBe(400);
    expect((await gateway.ask('/api/dead-letters?format=csv&pair=none')).status).toBe(404);
  });
});
