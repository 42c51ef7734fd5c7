import { describe, expect, test } from 'vitest';
import { alertCodes } from '#schemas/alerts.ts';
import { alertKind } from '#services/gateway/dashboard/pages/alerts/kinds.ts';

describe('the alerts', () => {
  test('have a title and first steps of their own, each of them', () => {
    const unknown = alertKind('something new');
    expect(unknown.steps).toEqual(['The message says what is, and what to do.']);
    for (const code of alertCodes) {
      const { title, steps } = alertKind(code);
      expect(title, code).not.toBe(unknown.title);
      expect(steps.length, code).toBeGreaterThan(0);
    }
  });
});
