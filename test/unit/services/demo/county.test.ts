import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyChunks, copyLine } from '#services/demo/copy-text.ts';
import {
  accountsOf,
  defaultCounty,
  flawedRows,
  flawOf,
  generateAccount,
  generateParcel,
  geoId,
  pacsColumns,
  pacsTables,
  TAX_YEAR,
  type PacsTable,
} from '#services/demo/county.ts';
import { SeededRandom } from '#services/demo/random.ts';

const small = { seed: 7, parcels: 3000 };

describe('the seeded random numbers', () => {
  test('come again with the same seed and stream, and differ otherwise', () => {
    const draw = (seed: number, stream: number): number[] => {
      const random = new SeededRandom(seed, stream);
      return Array.from({ length: 20 }, () => random.next());
    };
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(1, 3));
    expect(draw(1, 2)).not.toEqual(draw(2, 2));
  });

  test('are spread evenly', () => {
    const random = new SeededRandom(99);
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) buckets[random.whole(0, 9)]! += 1;
    expect(Math.min(...buckets)).toBeGreaterThan(850);
    expect(Math.max(...buckets)).toBeLessThan(1150);
  });

  test('stay within their bounds', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer(),
        fc.integer({ min: -1000, max: 1000 }),
        fc.nat(500),
        (seed, stream, min, span) => {
          const value = new SeededRandom(seed, stream).whole(min, min + span);
          expect(value).toBeGreaterThanOrEqual(min);
          expect(value).toBeLessThanOrEqual(min + span);
        },
      ),
    );
  });
});

describe('the demo county', () => {
  test('is the same every time, parcel by parcel', () => {
    expect(generateParcel(defaultCounty, 4711)).toEqual(generateParcel(defaultCounty, 4711));
    expect(generateAccount(defaultCounty, 12)).toEqual(generateAccount(defaultCounty, 12));
    expect(generateParcel({ ...defaultCounty, seed: 1 }, 4711)).not.toEqual(generateParcel(defaultCounty, 4711));
  });

  test('has 20,000 parcels of which 20 break a rule, each in one way', () => {
    expect(defaultCounty.parcels).toBe(20_000);
    expect(flawedRows(defaultCounty)).toBe(20);
  });

  test('fills every column of every row', () => {
    for (const [table, rows] of allRows(small)) {
      for (const row of rows) {
        expect(row).toHaveLength(pacsColumns[table].length);
        expect(row).not.toContain(undefined);
        expect(row).not.toContain(NaN);
      }
    }
  });

  test('keeps the rules of the pair, except where a flaw is wanted', () => {
    for (let propId = 1; propId <= small.parcels; propId++) {
      const { property_val: [value] = [], sale = [], property: [property] = [] } = generateParcel(small, propId);
      const at = (column: (typeof pacsColumns.property_val)[number]): number =>
        Number(value![pacsColumns.property_val.indexOf(column)]);
      const land = at('land_hstd_val') + at('land_non_hstd_val');
      const improvements = at('imprv_hstd_val') + at('imprv_non_hstd_val');
      const flaws = {
        negative_land: land < 0,
        value_gap: at('appraised_val') !== land + improvements,
        bad_pin: !/^(\d{3}-\d-\d+)?$/.test(String(property![1] ?? '')),
        free_sale: sale.some(([, , price, , code]) => code === 'V' && Number(price) <= 0),
      };
      const wanted = flawOf(propId);
      expect(flaws, `property ${propId}`).toEqual({
        negative_land: wanted === 'negative_land',
        value_gap: wanted === 'value_gap',
        bad_pin: wanted === 'bad_pin',
        free_sale: wanted === 'free_sale',
      });
      expect(at('assessed_val')).toBe(at('appraised_val') - at('cap_loss'));
      expect(at('prop_val_yr')).toBe(TAX_YEAR);
    }
  });

  test('has keys that are unique, and owners whose accounts exist', () => {
    const rows = new Map(allRows(small));
    const keys: Partial<Record<PacsTable, number>> = {
      property: 1,
      property_val: 3,
      account: 1,
      address: 2,
      owner: 4,
      situs: 2,
      land_detail: 5,
      imprv_detail: 6,
      sale: 1,
    };
    for (const [table, width] of Object.entries(keys) as [PacsTable, number][]) {
      const seen = new Set(rows.get(table)!.map((row) => JSON.stringify(row.slice(0, width))));
      expect(seen.size, table).toBe(rows.get(table)!.length);
    }
    expect(
      new Set(rows.get('property')!.flatMap(([, geo]) => (geo === null ? [] : [String(geo).replaceAll('-', '')]))).size,
    ).toBe(rows.get('property')!.filter(([, geo]) => geo !== null).length);
    for (const row of rows.get('owner')!) expect(Number(row[3])).toBeLessThanOrEqual(accountsOf(small));
  });

  test('gives parcels of later numbers geo ids that no earlier one has', () => {
    expect(geoId(1)).toBe('100-0-00007');
    expect(geoId(20_000).replaceAll('-', '')).toBe('100140000');
  });
});

describe('the rows as COPY text', () => {
  test('have NULLs, and no character that COPY would misread', () => {
    expect(copyLine([1, null, 'a\tb\\c\nd\re'])).toBe('1\t\\N\ta\\tb\\\\c\\nd\\re\n');
  });

  test('are all there, in chunks', () => {
    const parts = Array.from({ length: 500 }, (_, index) => generateParcel(small, index + 1));
    const chunks = copyChunks(pacsTables, parts);
    expect(chunks.property.join('')).toBe(parts.map((part) => copyLine(part.property![0]!)).join(''));
    expect(chunks.property_val.length).toBeGreaterThan(1);
    expect(chunks.account).toEqual(['']);
  });
});

function allRows(county: typeof small): [PacsTable, (string | number | null)[][]][] {
  const rows = Object.fromEntries(pacsTables.map((table) => [table, []])) as unknown as Record<
    PacsTable,
    (string | number | null)[][]
  >;
  const take = (part: ReturnType<typeof generateParcel>): void => {
    for (const [table, more] of Object.entries(part) as [PacsTable, (string | number | null)[][]][])
      rows[table].push(...more);
  };
  for (let propId = 1; propId <= county.parcels; propId++) take(generateParcel(county, propId));
  for (let acctId = 1; acctId <= accountsOf(county); acctId++) take(generateAccount(county, acctId));
  return Object.entries(rows) as [PacsTable, (string | number | null)[][]][];
}
