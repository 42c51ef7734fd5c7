import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { alertRules, type AlertRule } from '#schemas/alerts.ts';
import { alertMessage } from '#schemas/http/alerts.ts';
import { settingsSchema } from '#services/kernel/settings.ts';
import { example, page, PAGE } from './alerts-page.ts';

test('the page of alerts is what the code says (else: node test/unit/infra/write-alerts-page.ts)', async () => {
  expect(await readFile(PAGE, 'utf8')).toBe(page());
  expect(alertMessage.parse(example)).toEqual(example);
});

test('thresholds that can be set are settings, with the same default', () => {
  const defaults = settingsSchema.parse({}) as Readonly<Record<string, unknown>>;
  for (const [code, { setting, threshold }] of Object.entries<AlertRule>(alertRules))
    if (setting !== undefined) expect(defaults[setting], code).toBe(threshold);
});
