import { describe, expect, test } from 'vitest';
import { parseCsv } from '#test/support/csv.ts';
import { chinook, kingCountySales, northwind, saleColumns } from '#test/support/shared-data.ts';
import { parseScript, splitStatements } from '#test/support/sql-script.ts';
import { generatedErp, generatedInvoices, generatedSales } from '#test/support/stand-ins.ts';

test('statements end at semicolons that are neither quoted nor in comments', () => {
  expect(splitStatements(`-- a; b\nSELECT 'x;''y', "q;"; /* ; */ SELECT 2-1/1;\n\n`)).toEqual([
    `SELECT 'x;''y', "q;"`,
    'SELECT 2-1/1',
  ]);
});

test('a quoted field may hold commas, quotes and line ends', () => {
  expect(parseCsv('a,b\r\n"1,""2""\n",3\n,4')).toEqual([
    { a: '1,"2"\n', b: '3' },
    { a: '', b: '4' },
  ]);
});

describe('real data', () => {
  test("King County's sales are the list that its SOURCE.txt describes", ({ skip }) => {
    const sales = kingCountySales();
    skip(!sales.real, sales.missing);
    expect(sales.content).toHaveLength(21_597);
    expect(new Set(sales.content.map(({ id }) => id)).size).toBe(21_420);
    expect(sales.content.filter(({ sqft_basement }) => sqft_basement === '?')).toHaveLength(454);
  });

  test('Northwind is whole', ({ skip }) => {
    const { real, missing, content } = northwind();
    skip(!real, missing);
    expect(content.schema.filter((statement) => statement.startsWith('CREATE TABLE'))).toHaveLength(14);
    expect(content.rows).toHaveLength(3362);
    expect(content.constraints).toHaveLength(13);
  });

  test('Chinook is whole', ({ skip }) => {
    const { real, missing, content } = chinook();
    skip(!real, missing);
    expect(content.schema).toHaveLength(11);
    expect(content.constraints).toHaveLength(22);
  });
});

describe('what stands in for it', () => {
  test('has the same columns and the same dirt, and comes again', () => {
    const sales = generatedSales();
    expect(Object.keys(sales[0]!)).toEqual([...saleColumns]);
    expect(new Set(sales.map(({ id }) => id)).size).toBeLessThan(sales.length);
    expect(sales.some(({ sqft_basement }) => sqft_basement === '?')).toBe(true);
    expect(generatedSales()).toEqual(sales);
  });

  test('is a database with keys, rows and constraints', () => {
    for (const script of [generatedErp(), generatedInvoices()].map(parseScript)) {
      expect(script.schema.length).toBeGreaterThan(2);
      expect(script.rows.length).toBeGreaterThan(2);
      expect(script.constraints.length).toBeGreaterThan(1);
    }
  });
});
