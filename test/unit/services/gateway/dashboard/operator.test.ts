import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import { diffOf } from '#services/gateway/dashboard/app/diff.ts';
import { absoluteIn } from '#services/gateway/dashboard/format.ts';
import { actionText } from '#services/gateway/dashboard/pages/audit/words.ts';
import { refusalOf } from '#services/gateway/dashboard/pages/dead-letters/sqlstate.ts';
import { causeText, whyOf } from '#services/gateway/dashboard/pages/dead-letters/why.ts';

describe('a difference', () => {
  test('names each value by its path, and says what became of it', () => {
    const before = { name: 'a', config: { batch_size: 1, tables: ['x', 'y'] }, old: null };
    const after = { name: 'a', config: { batch_size: 2, tables: ['x'] }, made: {} };
    expect(diffOf(before, after)).toEqual([
      { path: 'name', before: 'a', after: 'a', kind: 'same' },
      { path: 'config.batch_size', before: '1', after: '2', kind: 'changed' },
      { path: 'config.tables[0]', before: 'x', after: 'x', kind: 'same' },
      { path: 'config.tables[1]', before: 'y', after: undefined, kind: 'removed' },
      { path: 'old', before: 'null', after: undefined, kind: 'removed' },
      { path: 'made', before: undefined, after: '{}', kind: 'added' },
    ]);
  });

  test('of something that is made or gone is all of it; of nothing there is none', () => {
    expect(diffOf(null, { a: 1 })).toEqual([{ path: 'a', before: undefined, after: '1', kind: 'added' }]);
    expect(diffOf({ a: 1 }, undefined)).toMatchObject([{ kind: 'removed' }]);
    expect(diffOf(null, undefined)).toEqual([]);
    expect(diffOf('paused', 'running')).toEqual([{ path: '', before: 'paused', after: 'running', kind: 'changed' }]);
  });

  test('of equal values is none, and the other way round it is the same with its sides changed', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(diffOf(a, structuredClone(a)).every(({ kind }) => kind === 'same')).toBe(true);
        const turned = { same: 'same', changed: 'changed', added: 'removed', removed: 'added' } as const;
        const back = diffOf(b, a).map((line) => ({
          ...line,
          before: line.after,
          after: line.before,
          kind: turned[line.kind],
        }));
        const byPath = (one: { path: string }, other: { path: string }) => (one.path < other.path ? -1 : 1);
        expect(back.sort(byPath)).toEqual(diffOf(a, b).sort(byPath));
      }),
    );
  });
});

describe('why a change was rejected', () => {
  const letter = {
    stage: 'process',
    rule: null,
    code: 'PAIR_ROW_INVALID',
    sqlstate: null,
    reason: 'column price: this is no number',
    source_table: 'pacs.sale',
    target_table: 'cama.sale_record',
    op: 'insert',
  } as const satisfies Partial<DeadLetterView>;

  test('by a rule: names it, and how to mend row or rule', () => {
    const why = whyOf({ ...letter, rule: 'has a price', reason: 'rule "has a price" is broken: row.price > 0' });
    expect(why.title).toBe('The rule “has a price” refused the row');
    expect(why.mend[0]).toContain('Correct the row in pacs.sale at the source');
    expect(why.mend.join(' ')).toMatch(/change it in the mapping.*replay.*other values/s);
    // A delete is no row: nobody can give it other values.
    expect(whyOf({ ...letter, rule: 'x', op: 'delete' }).mend.join(' ')).not.toContain('other values');
    const unanswered = whyOf({ ...letter, rule: 'x', reason: 'rule "x" cannot be answered: price is NULL' });
    expect(unanswered.meaning).toContain('nobody can say');
  });

  test('by the mapping, or because the source left a value out', () => {
    expect(whyOf(letter).title).toBe('The row could not be made into one of cama.sale_record');
    const toast = whyOf({
      ...letter,
      reason: 'the source did not send column x …; REPLICA IDENTITY FULL at the source …',
    });
    expect(toast.mend[0]).toContain('ALTER TABLE pacs.sale REPLICA IDENTITY FULL');
  });

  test('by the target: with the meaning of its SQLSTATE', () => {
    const why = whyOf({ ...letter, stage: 'apply', code: 'TARGET_CONFLICT', sqlstate: '23505' });
    expect(why).toMatchObject({
      title: 'cama.sale_record refused the row (SQLSTATE 23505)',
      meaning: 'The target already has a row with this key.',
    });
    // Letters of before this version carry none.
    expect(whyOf({ ...letter, stage: 'apply' }).title).toBe('cama.sale_record refused the row');
  });

  test('has words for every SQLSTATE: by its class where it has none of its own', () => {
    expect(refusalOf('22999').meaning).toBe('The value does not fit the type of its column.');
    expect(refusalOf('23999').meaning).toBe('The row breaks a constraint of the target.');
    expect(refusalOf('XX000').meaning).toBe('The target refuses the row.');
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9A-Z]{5}$/), (sqlstate) => {
        const { meaning, mend } = refusalOf(sqlstate);
        expect(meaning.endsWith('.') && mend.length > 20).toBe(true);
      }),
    );
  });

  test('in a few words for a list', () => {
    expect(causeText({ ...letter, rule: 'has a price' })).toBe('Rule “has a price”');
    expect(causeText({ ...letter, sqlstate: '23502', code: 'TARGET_ROW_REJECTED' })).toContain('must not be empty');
    expect(causeText(letter)).toBe('A value that the mapping cannot take');
    expect(causeText({ ...letter, code: 'TARGET_ROW_REJECTED' })).toBe('Refused by the target');
  });
});

describe('words', () => {
  test('for what the trail tells, known or not', () => {
    expect(actionText('sync_pair.pause')).toBe('Pair paused');
    expect(actionText('dead_letter.discard_all')).toBe('Dead letter discarded, many');
    expect(actionText('volcano.has_erupted')).toBe('Volcano has erupted');
    expect(actionText('odd')).toBe('odd');
  });

  test('for exact times, in the zone of whoever looks', () => {
    expect(absoluteIn('2026-01-31T23:15:30.123Z', 'UTC')).toBe('2026-01-31 23:15:30 UTC');
    expect(absoluteIn('2026-01-31T23:15:30Z', 'America/Los_Angeles')).toBe('2026-01-31 15:15:30 PST');
    expect(absoluteIn('2026-07-31T00:00:00Z', 'UTC')).toBe('2026-07-31 00:00:00 UTC');
    expect(absoluteIn('soon', 'UTC')).toBe('soon');
  });
});
