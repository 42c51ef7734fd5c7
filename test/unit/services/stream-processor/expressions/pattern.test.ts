import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boundedPattern } from '#services/stream-processor/expressions/pattern.ts';

describe('a pattern', () => {
  test.each([
    String.raw`^\d{12}$`,
    String.raw`[-\s]+`,
    String.raw`^(?<num>\d+)\s+(?<street>.*)$`,
    String.raw`\b(?:STREET|AVENUE|ROAD|BOULEVARD|COURT|DRIVE|LANE)\b`,
    String.raw`^[A-Z]{2}\d{5}(-\d{4})?$`,
    String.raw`\p{Lu}\u{1F600}\x41\cA[\]x]`,
    String.raw`a\(b\)+`,
    '',
    '.*',
  ])('such as %s is taken', (source) => {
    expect(boundedPattern(source).maxLength).toBeGreaterThanOrEqual(64);
  });

  test.each([
    ['(a+)+', 'repeats'],
    ['(a*)*', 'repeats'],
    ['(a|a)*', 'branches'],
    ['(a|aa)+$', 'branches'],
    ['(?:a?a?)+$', 'repeats'],
    ['((ab)*c)*', 'repeats'],
    ['(a|b){3}', 'branches'],
    ['(a+){10}', 'repeats'],
    ['(.*)(.*)(.*)(.*)(.*)(.*)(.*)$', 'too many'],
    ['a?'.repeat(60), 'too many'],
    ['(a|a)'.repeat(60), 'too many'],
    [String.raw`(a)\1`, 'refers back'],
    [String.raw`(?<x>a)\k<x>`, 'refers back'],
    ['(?=a)b', 'looks ahead'],
    ['(?<!a)b', 'looks ahead or behind'],
    ['(?i:a)', 'flags'],
    ['(', 'not a regular expression'],
    ['a'.repeat(501), 'longer than'],
  ])('such as %s is refused', (source, reason) => {
    expect(() => boundedPattern(source)).toThrow(reason);
  });

  test('is matched in bounded time against the worst text of the longest length', () => {
    for (const source of [String.raw`\s+$`, String.raw`\s*\s*$`, 'a*a*a*b', '(?:a|a)(?:a|a)a*b']) {
      const { expression, maxLength } = boundedPattern(source);
      const worst = (source.includes('s') ? ' ' : 'a').repeat(maxLength);
      const begun = performance.now();
      expect(`${worst}c`.replace(expression, '')).toBeDefined();
      expect(performance.now() - begun).toBeLessThan(5000);
    }
  });

  test('never hangs the one who checks it', () => {
    const piece = fc.constantFrom(
      'a',
      '(',
      ')',
      '|',
      '*',
      '+',
      '?',
      '{2}',
      '{1,3}',
      '{2,}',
      '[a-z]',
      '[^]',
      '\\d',
      '^',
      '$',
      '.',
      '(?:',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          expect(boundedPattern(pieces.join('')).maxLength).toBeGreaterThanOrEqual(64);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
