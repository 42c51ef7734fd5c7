import { expect, test } from 'vitest';
import { lossyReason } from '#services/pair-check/lossy.ts';

const TOO_LONG =
  'values of more than 10 characters are refused by character varying(10), or lose blanks at their end where these are all that is too much';

test.each([
  ['integer', 'integer'],
  ['smallint', 'bigint'],
  ['character varying(20)', 'character varying(40)'],
  ['character varying(20)', 'text'],
  ['jsonb', 'json'],
  ['uuid', 'text'],
  ['integer', 'numeric(12,2)'],
  ['numeric(14,2)', 'numeric(16,2)'],
  ['numeric(14,2)', 'numeric'],
  ['real', 'double precision'],
  ['integer', 'double precision'],
  ['timestamp(3) without time zone', 'timestamp without time zone'],
  ['date', 'date'],
])('%s arrives in %s as it was', (from, to) => {
  expect(lossyReason(from, to)).toBeUndefined();
});

test.each([
  ['bigint', 'integer', 'values beyond the range of integer are refused'],
  ['text', 'integer', 'values that are no integer are refused'],
  ['text', 'character varying(10)', TOO_LONG],
  ['character varying(20)', 'character varying(10)', TOO_LONG],
  ['character varying(5)', 'character(10)', 'values are padded to 10 characters'],
  ['numeric(14,4)', 'numeric(14,2)', 'decimals beyond 2 are rounded'],
  ['numeric(14,2)', 'numeric(10,2)', 'values of more than 8 digits are refused'],
  ['numeric', 'numeric(10,2)', 'decimals beyond 2 are rounded, larger values refused'],
  ['bigint', 'numeric(10)', 'values of more than 10 digits are refused'],
  ['numeric', 'double precision', 'digits beyond the precision of double precision are lost'],
  ['double precision', 'real', 'digits beyond the precision of real are lost'],
  ['timestamp with time zone', 'timestamp without time zone', 'the time zone is lost'],
  ['timestamp without time zone', 'date', 'the time of day is lost'],
  ['timestamp without time zone', 'timestamp(0) without time zone', 'fractions of a second are rounded to 0 digits'],
  ['json', 'jsonb', 'white space, the order of keys and repeated keys are lost'],
  ['text', 'uuid', 'values of text are written as uuid; those that are none are refused'],
])('%s in %s: %s', (from, to, reason) => {
  expect(lossyReason(from, to)).toBe(reason);
});
