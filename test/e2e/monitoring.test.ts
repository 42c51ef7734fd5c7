import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { boards } from '#infra/monitoring/grafana/boards.ts';
import { eventually } from '#test/support/eventually.ts';
import { Prometheus, whyNoPrometheus } from '#test/support/prometheus.ts';
import { Product } from './product.ts';

const reason = await whyNoPrometheus();
const rulesFile = fileURLToPath(new URL('../../infra/monitoring/prometheus/rules/terrafusion.yml', import.meta.url));
const { groups } = parse(readFileSync(rulesFile, 'utf8')) as {
  groups: { name: string; rules: { alert: string; expr: string }[] }[];
};

/** What Grafana puts in place of the drop-downs when all is chosen. */
const all = (expr: string): string => expr.replaceAll('$pair', '.*').replaceAll('$source', '.*');

/** Rules whose metrics are there only while something is going on; that they fire is tested with promtool. */
const quiet = new Set(['TerraFusionAlertDelivery']);

/** The left sides of what a rule compares: what is left must be there, or the rule watches nothing. */
function watched(expr: string): string[] {
  return [...expr.matchAll(/terrafusion_[a-z0-9_]+(?:\{[^}]*\})?|up\{[^}]*\}/g)].map(([selector]) => selector);
}

describe.skipIf(reason !== undefined)(
  `Prometheus on the running product${reason === undefined ? '' : ` (${reason})`}`,
  () => {
    let product: Product;
    let prometheus: Prometheus;

    beforeAll(async () => {
      product = await Product.create();
      product.start();
      await product.event('ready');
      await product.event('streaming', 90_000);
      const target = (url: string, service: string) => ({ targets: [new URL(url).host], labels: { service } });
      prometheus = await Prometheus.start({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [rulesFile],
        scrape_configs: [
          {
            job_name: 'terrafusion',
            static_configs: [target(`http://127.0.0.1:${product.env['SYNC_SERVICE_PORT']!}`, 'sync-service')],
          },
          { job_name: 'terrafusion-gateway', static_configs: [target(product.url, 'gateway')] },
        ],
      });
    });
    afterAll(async () => {
      await (prometheus as Prometheus | undefined)?.[Symbol.asyncDispose]();
      await product[Symbol.asyncDispose]();
    });

    const panels = Object.entries(boards).flatMap(([file, { panels: list }]) =>
      list.flatMap((panel) =>
        panel.queries.map(([expr]) => ({ name: `${file}: ${panel.title}`, expr: all(expr), panel })),
      ),
    );

    test('every query of every panel gives an answer, or is one that is empty while all is well', async () => {
      const missing = new Map(panels.map((query) => [`${query.name} ${query.expr}`, query]));
      await eventually(
        async () => {
          for (const [key, { expr, panel }] of missing) {
            const answer = await prometheus.query(expr);
            if (answer.length > 0 || panel.emptyWhileHealthy !== undefined) missing.delete(key);
          }
          if (missing.size > 0) throw new Error([...missing.keys()].join('\n'));
          return true;
        },
        { within: 90_000, every: 500, what: 'answers to all queries' },
      );
    });

    test('every rule can be evaluated, and watches something that is there', async () => {
      const rules = groups.flatMap((group) => group.rules);
      await eventually(
        async () => {
          for (const { alert, expr } of rules) {
            await prometheus.query(expr);
            if (quiet.has(alert)) continue;
            const found = await Promise.all(watched(expr).map((selector) => prometheus.query(selector)));
            if (found.every((answer) => answer.length === 0)) throw new Error(`${alert} watches nothing`);
          }
          const told = await prometheus.rules();
          const ill = told.filter(({ health }) => health !== 'ok');
          if (ill.length > 0) throw new Error(JSON.stringify(ill));
          expect(told).toHaveLength(rules.length);
          return true;
        },
        { within: 60_000, every: 500, what: 'the rules' },
      );
    });

    test('what the product says of its lag Prometheus says too, and no label holds a value of a row', async () => {
      const [row] = await product.query<{ pin: string }>(
        'county_pacs',
        'SELECT geo_id AS pin FROM pacs.property LIMIT 1',
      );
      const samples = await prometheus.query('{__name__=~"terrafusion_.+"}');
      expect(samples.length).toBeGreaterThan(200);
      const labels = new Set(samples.flatMap(({ metric }) => Object.values(metric)));
      expect(labels).not.toContain(row!.pin);
      expect(labels).toContain('pacs-to-cama');
      expect(labels).toContain('county-pacs');
      const letters = await prometheus.query('terrafusion_dead_letters_open{pair="pacs-to-cama"}');
      const { body } = await product.ask<{ business: { dead_letters_open: number } }>('GET', '/api/metrics');
      expect(Number(letters[0]!.value[1])).toBe(body.business.dead_letters_open);
      // The demo's broken rows are an alert that is shown, and nothing is told.
      await eventually(
        async () => {
          const alerts = await prometheus.query('ALERTS{alertname="TerraFusionDeadLetters", alertstate="firing"}');
          return alerts.length === 1;
        },
        { within: 60_000, every: 500, what: 'the alert of the dead letters' },
      );
    });

    test('the history that the product keeps by itself says the same', async () => {
      await eventually(
        async () => {
          const since = new Date(Date.now() - 300_000).toISOString();
          const { body } = await product.ask<{
            series: { name: string; labels: { pair?: string }; points: unknown[] }[];
          }>('GET', `/api/metrics?since=${since}&series=changes_applied_per_second,process_memory_bytes,lag_seconds`);
          const names = new Set(body.series.map(({ name }) => name));
          return names.size === 3 && body.series.some(({ labels }) => labels.pair === 'pacs-to-cama');
        },
        { within: 60_000, every: 500, what: 'the history' },
      );
    });
  },
);
