import { expect, test } from 'vitest';
import { castsAlike, isWidening } from '#connectors/postgres/target/evolution/types.ts';

test.each([
  ['integer', 'bigint'],
  ['smallint', 'numeric'],
  ['real', 'double precision'],
  ['character varying(10)', 'character varying(20)'],
  ['character varying(10)', 'character varying'],
  ['character varying(10)', 'text'],
  ['numeric(10,2)', 'numeric(12,2)'],
  ['numeric(10,2)', 'numeric(14,4)'],
  ['numeric(10,2)', 'numeric'],
  ['numeric(10,2)[]', 'numeric(12,2)[]'],
  ['timestamp(3) without time zone', 'timestamp(6) without time zone'],
  ['timestamp(3) with time zone', 'timestamp with time zone'],
])('%s to %s loses nothing', (from, to) => {
  expect(isWidening(from, to)).toBe(true);
});

test.each([
  ['bigint', 'integer'],
  ['numeric', 'bigint'],
  ['text', 'character varying(10)'],
  ['character varying(20)', 'character varying(10)'],
  ['character(5)', 'text'],
  ['numeric(10,2)', 'numeric(10,4)'],
  ['numeric(10,2)', 'numeric(9,2)'],
  ['numeric', 'numeric(10,2)'],
  ['text', 'jsonb'],
  ['timestamp without time zone', 'timestamp with time zone'],
])('%s to %s may', (from, to) => {
  expect(isWidening(from, to)).toBe(false);
});

test('casts that read no setting give the same at both ends', () => {
  expect(castsAlike('integer', 'numeric(10,2)')).toBe(true);
  expect(castsAlike('character varying(10)', 'text')).toBe(true);
  expect(castsAlike('timestamp without time zone', 'timestamp with time zone')).toBe(false);
  expect(castsAlike('integer', 'text')).toBe(false);
});
