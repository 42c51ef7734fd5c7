import { expect, test } from 'vitest';
import { columnInput } from '#schemas/pairs.ts';
import { keepsForm } from '#services/stream-processor/columns.ts';

// What is wrong here costs no value, but makes the text of every row twice: the source is asked for binary, and the chain has to undo it.
test.each([
  [{ from: 'a' }, true],
  [{ from: 'a', transforms: ['upper'] }, true],
  [{ from: 'a', type: 'bigint' }, false],
  [{ concat: ['a', 'b'] }, true],
  [{ concat: ['a', 'b'], type: 'varchar(20)' }, true],
  [{ concat: ['a', 'b'], type: 'numeric' }, false],
  [{ compute: 'row.a' }, true],
  [{ compute: 'row.a', type: 'numeric(14, 2)' }, true],
  [{ compute: 'row.a', type: 'bigint' }, true],
  [{ compute: 'row.a', type: 'boolean' }, true],
  [{ compute: 'row.a', type: 'text' }, true],
  [{ compute: 'row.a', type: 'numeric', transforms: ['trim'] }, false],
  [{ compute: 'row.a', type: 'integer' }, false],
  [{ compute: 'row.a', type: 'date' }, false],
  [{ compute: 'row.a', type: 'our_own_type' }, false],
])('of %j a source can be asked in binary: %s', (input, expected) => {
  expect(keepsForm(columnInput.parse(input))).toBe(expected);
});
