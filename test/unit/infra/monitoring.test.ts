import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { boards } from '#infra/monitoring/grafana/boards.ts';
import { boardJson } from '#infra/monitoring/grafana/panel.ts';
import { everyMetric } from '#test/support/every-metric.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource: { readonly uid: string };
  readonly targets: readonly { readonly expr: string }[];
}
interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly query: { readonly query: string } }[] };
}

const dashboardFolder = 'infra/monitoring/grafana/dashboards';
const dashboards = readdirSync(join(root, dashboardFolder)).map(
  (file) => [file, JSON.parse(read(join(dashboardFolder, file))) as Dashboard] as const,
);
const known = new Set([...(await everyMetric()).values()].flat().map(({ name }) => name));

describe.each(dashboards)('the dashboard %s', (_file, dashboard) => {
  test('asks only for metrics that the code has', () => {
    const queries = [
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
      ...dashboard.templating.list.map(({ query }) => query.query),
    ];
    expect(queries.length).toBeGreaterThan(0);
    for (const query of queries) {
      const names = [...query.matchAll(/\bterrafusion_[a-z0-9_]+/g)].map(([name]) => name);
      for (const name of names) expect(known, query).toContain(name.replace(/_(bucket|sum|count)$/, ''));
      if (!query.includes('up{')) expect(names.length, query).toBeGreaterThan(0);
    }
  });

  test('has panels with a title, a sentence about them and a place of their own', () => {
    const places = new Set<string>();
    for (const { title, description, gridPos, datasource } of dashboard.panels) {
      expect(title).not.toBe('');
      expect(description, title).not.toBe('');
      expect(datasource.uid).toBe('prometheus');
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(places, `${title} lies on another panel`).not.toContain(`${x},${y}`);
          places.add(`${x},${y}`);
        }
      }
    }
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

test('the dashboards are what the boards say (else: node infra/monitoring/grafana/write.ts)', () => {
  const written = Object.fromEntries(dashboards.map(([file, board]) => [file.replace('.json', ''), board]));
  expect(written).toEqual(
    Object.fromEntries(
      Object.entries(boards).map(([name, board]) => [name, JSON.parse(JSON.stringify(boardJson(board))) as unknown]),
    ),
  );
  expect(new Set(dashboards.map(([, { uid }]) => uid)).size).toBe(dashboards.length);
});

describe('the provisioning', () => {
  test('finds the dashboards where compose mounts them, and the source that they name', () => {
    const provider = parse(read('infra/monitoring/grafana/provisioning/dashboards/terrafusion.yml')) as {
      providers: { options: { path: string } }[];
    };
    const source = parse(read('infra/monitoring/grafana/provisioning/datasources/prometheus.yml')) as {
      datasources: { uid: string; url: string }[];
    };
    const compose = read('docker-compose.yml');
    expect(compose).toContain(`./${dashboardFolder}:${provider.providers[0]!.options.path}:ro`);
    expect(source.datasources[0]).toMatchObject({ uid: 'prometheus', url: 'http://prometheus:9090' });
  });

  test('gives Prometheus its rules where its configuration looks for them', () => {
    const { rule_files } = parse(read('infra/monitoring/prometheus/prometheus.yml')) as { rule_files: string[] };
    const compose = read('docker-compose.yml');
    for (const file of rule_files)
      expect(compose).toContain(`./infra/monitoring/prometheus/${file}:/etc/prometheus/${file}:ro`);
  });

  test('scrapes every process of the product, with a key from a mounted secret', () => {
    const config = parse(read('infra/monitoring/prometheus/prometheus.yml')) as {
      scrape_configs: {
        job_name: string;
        authorization?: { credentials_file: string };
        static_configs?: { targets: string[] }[];
        dns_sd_configs?: { names: string[]; port: number }[];
      }[];
    };
    const compose = parse(read('docker-compose.yml'), { merge: true }) as {
      services: Record<string, { build?: string; secrets?: { target: string }[] }>;
    };
    const scraped = config.scrape_configs.flatMap(({ static_configs = [], dns_sd_configs = [] }) => [
      ...static_configs.flatMap(({ targets }) => targets.map((target) => target.split(':')[0]!)),
      ...dns_sd_configs.flatMap(({ names }) => names),
    ]);
    for (const [name, { build }] of Object.entries(compose.services)) {
      if (build !== undefined) expect(scraped).toContain(name);
    }
    const mounted = compose.services['prometheus']!.secrets!.map(({ target }) => `/run/secrets/${target}`);
    for (const { job_name, authorization } of config.scrape_configs) {
      if (job_name === 'terrafusion-gateway') expect(authorization).toBeDefined();
      if (authorization) expect(mounted).toContain(authorization.credentials_file);
    }
  });
});
