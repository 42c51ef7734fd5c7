import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { alertCodes, alertRule, type AlertCode } from '#schemas/alerts.ts';
import { everyMetric } from '#test/support/every-metric.ts';
import { promtool, whyNoPrometheus } from '#test/support/prometheus.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, 'infra/monitoring/prometheus');
const reason = await whyNoPrometheus();

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string; readonly code: AlertCode };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}
const { groups } = parse(readFileSync(join(folder, 'rules/terrafusion.yml'), 'utf8')) as {
  groups: { rules: Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const seconds = (text = '0s'): number => Number(text.slice(0, -1)) * (text.endsWith('m') ? 60 : 1);

describe('the rules for Prometheus', () => {
  test.each(alertCodes)('%s: there is one, as the product has it', (code) => {
    const { severity, threshold, forSeconds, runbook, sent } = alertRule(code);
    const own = rules.filter(({ labels }) => labels.code === code);
    expect(own.length).toBeGreaterThan(0);
    for (const { alert, expr, for: lasting, annotations, labels } of own) {
      expect(seconds(lasting), alert).toBe(forSeconds);
      expect(annotations.runbook_url).toBe(`infra/runbooks/${runbook}`);
      expect(annotations.summary).not.toBe('');
      if (threshold !== undefined)
        expect(expr, alert).toMatch(new RegExp(`> ${threshold}\\s*$|> ${threshold} or|> ${threshold}\n`, 'm'));
      // That a slot is over its budget is worse than that it nears it.
      if (code !== 'slot_wal_budget') expect(labels.severity).toBe(sent === false ? 'info' : severity);
    }
  });

  test('have names of their own, and ask for metrics that there are', async () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    const known = new Set([...(await everyMetric()).values()].flat().map(({ name }) => name));
    for (const { alert, expr, labels } of rules) {
      expect(alertCodes, alert).toContain(labels.code);
      for (const [name] of expr.matchAll(/\bterrafusion_[a-z0-9_]+/g))
        expect(known, `${alert}: ${name}`).toContain(name.replace(/_(bucket|sum|count)$/, ''));
    }
  });

  test('have a page each that says what to do', () => {
    const index = readFileSync(join(root, 'infra/runbooks/README.md'), 'utf8');
    for (const code of alertCodes) {
      const { runbook } = alertRule(code);
      expect(existsSync(join(root, 'infra/runbooks', runbook)), runbook).toBe(true);
      expect(index).toContain(`(${runbook})`);
    }
  });
});

describe.skipIf(reason !== undefined)(`promtool${reason === undefined ? '' : ` (${reason})`}`, () => {
  test('finds nothing wrong with the rules, and they fire when they should and not before', async () => {
    expect(await promtool('check', 'rules', join(folder, 'rules/terrafusion.yml'))).toContain('SUCCESS');
    expect(await promtool('test', 'rules', join(folder, 'rules/terrafusion.test.yml'))).toContain('SUCCESS');
    const tested = readFileSync(join(folder, 'rules/terrafusion.test.yml'), 'utf8');
    for (const { alert } of rules) expect(tested).toContain(`alertname: ${alert}\n`);
  });
});
