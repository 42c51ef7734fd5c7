import { describe, expect, test } from 'vitest';
import {
  quoteColumns,
  quoteIdentifier,
  quoteLiteral,
  quoteReplicationLiteral,
  quoteTable,
} from '#connectors/postgres/identifiers.ts';

describe('names as SQL (CHECKLIST 26)', () => {
  test.each([
    ['plain', '"plain"'],
    ['Upper Case', '"Upper Case"'],
    ['select', '"select"'],
    ['a.b', '"a.b"'],
    ['say "hi"', '"say ""hi"""'],
    ['größe😀', '"größe😀"'],
  ])('%s', (name, sql) => {
    expect(quoteIdentifier(name)).toBe(sql);
  });

  test('a table has its schema, columns have commas between them', () => {
    expect(quoteTable({ schema: 'My', name: 't"' })).toBe('"My"."t"""');
    expect(quoteColumns(['a', 'B'])).toBe('"a", "B"');
    expect(quoteColumns([])).toBe('');
  });

  test.each(['', 'a\0b'])('%j cannot be a name', (name) => {
    expect(() => quoteIdentifier(name)).toThrow(RangeError);
  });
});

describe('constants as SQL', () => {
  test.each([
    ['it', "'it'"],
    ["it's", "'it''s'"],
    [String.raw`a\b'c`, String.raw` E'a\\b''c'`],
  ])('%s', (text, sql) => {
    expect(quoteLiteral(text)).toBe(sql);
  });

  test('replication commands know no escapes', () => {
    expect(quoteReplicationLiteral(String.raw`"a\b'c"`)).toBe(String.raw`'"a\b''c"'`);
  });

  test('a NUL cannot be said', () => {
    expect(() => quoteLiteral('\0')).toThrow(RangeError);
    expect(() => quoteReplicationLiteral('\0')).toThrow(RangeError);
  });
});
