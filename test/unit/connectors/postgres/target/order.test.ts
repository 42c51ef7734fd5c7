import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCircle, rankByForeignKeys } from '#connectors/postgres/target/foreign-key-order.ts';
import { orderByKey } from '#connectors/postgres/target/key-order.ts';
import { catalogTable } from './support.ts';

const pointing = (name: string, ...to: string[]) =>
  catalogTable(name, {
    foreignKeys: to.map((references) => ({ references, onDelete: 'a', onUpdate: 'a', deferrable: false })),
  });

describe('foreign keys', () => {
  test('parents come first, whatever the order asked in', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const edges = fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 12 });
    fc.assert(
      fc.property(edges, fc.shuffledSubarray(names, { minLength: 1 }), (pairs, chosen) => {
        // Only from a later to an earlier name, and to oneself: no circle.
        const tables = chosen.map((name) =>
          pointing(
            name,
            ...pairs.filter(([from, to]) => names[from] === name && to <= from).map(([, to]) => names[to]!),
          ),
        );
        const ranks = rankByForeignKeys(tables);
        expect([...ranks.values()].sort()).toEqual(chosen.map((_, i) => i));
        expect(hasCircle(tables)).toBe(false);
        for (const table of tables) {
          for (const { references } of table.foreignKeys) {
            if (references !== table.oid && ranks.has(references))
              expect(ranks.get(references)).toBeLessThan(ranks.get(table.oid)!);
          }
        }
      }),
    );
  });

  test('a circle is told, and every table has its place all the same', () => {
    const tables = [pointing('a', 'b'), pointing('b', 'c'), pointing('c', 'a'), pointing('d', 'a', 'd')];
    expect(hasCircle(tables)).toBe(true);
    expect(hasCircle([pointing('d', 'd', 'elsewhere')])).toBe(false);
    expect(rankByForeignKeys(tables).size).toBe(4);
  });
});

describe('keys', () => {
  test('whole numbers in their order', () => {
    const keys = Array.from({ length: 100 }, (_, i) => String((i * 37) % 100));
    const ordered = orderByKey(keys, [...keys.keys()]).map((entry) => Number(keys[entry]));
    expect(ordered).toEqual(ordered.toSorted((a, b) => a - b));
  });

  test('of any keys none is lost', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 40 }), (keys) => {
        const entries = [...keys.keys()].filter((entry) => entry % 3 !== 0);
        expect(orderByKey(keys, [...entries]).toSorted((a, b) => a - b)).toEqual(entries);
      }),
    );
  });

  test('texts by what follows their common beginning', () => {
    const keys = Array.from({ length: 64 }, (_, i) => `parcel-${String((i * 29) % 64).padStart(3, '0')}`);
    expect(orderByKey(keys, [...keys.keys()]).map((entry) => keys[entry])).toEqual(keys.toSorted());
  });
});
