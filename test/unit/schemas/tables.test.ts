import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTableName, parseTableName, tableNameText } from '#schemas/tables.ts';

describe('a table name', () => {
  test('comes back as it was printed, whatever its parts are (CHECKLIST 26)', () => {
    const part = fc.string({ minLength: 1, unit: 'grapheme' });
    fc.assert(
      fc.property(part, part, (schema, name) => {
        expect(parseTableName(formatTableName({ schema, name }))).toEqual({ schema, name });
      }),
    );
  });

  test.each([
    ['pacs.property', { schema: 'pacs', name: 'property' }],
    ['PACS.Property', { schema: 'PACS', name: 'Property' }],
    ['"My Schema"."a.b"', { schema: 'My Schema', name: 'a.b' }],
    ['pacs."say ""hi"""', { schema: 'pacs', name: 'say "hi"' }],
    ['a b.c d', { schema: 'a b', name: 'c d' }],
  ])('%s has its two parts', (text, parts) => {
    expect(parseTableName(text)).toEqual(parts);
    expect(tableNameText.parse(text)).toBe(text);
  });

  test.each(['', 'property', 'a.b.c', '.b', 'a.', '"a.b', 'a".b', '"".b'])('is not %j', (text) => {
    expect(() => parseTableName(text)).toThrow(RangeError);
    expect(tableNameText.safeParse(text).error?.issues[0]?.message).toContain('is not a table name');
  });
});
