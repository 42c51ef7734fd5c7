import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { processTerminal } from '#services/cli/output.ts';
import { createProgram } from '#services/cli/program.ts';
import { loadSettings, settingsSchema } from '#services/kernel/settings.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: string[];
  readonly environment?: Record<string, string>;
  readonly ports?: string[];
  readonly volumes?: string[];
  readonly secrets?: { source: string }[];
  readonly networks?: string[];
  readonly depends_on?: Record<string, { condition: string }>;
  readonly healthcheck?: { test: string[]; interval: string; timeout: string; retries: number };
  readonly build?: string;
}
interface Compose {
  readonly services: Record<string, Service>;
  readonly volumes: Record<string, null>;
  readonly networks: Record<string, null>;
  readonly secrets: Record<string, { environment: string }>;
}

// `<<` is of YAML 1.1: compose knows it, YAML 1.2 wants to be told.
const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);

describe('docker-compose.yml', () => {
  test('has all parts of the product', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      [
        'gateway',
        'grafana',
        'kafka',
        'postgres',
        'prometheus',
        'reader',
        'stream-processor',
        'sync-service',
        'writer',
      ].sort(),
    );
  });

  test.each(services)('%s: pinned image, health check, known network and volumes', (_name, service) => {
    expect(service.image).toMatch(/^[a-z0-9/.-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9]+)?$/);
    expect(service.healthcheck?.test[0]).toBe('CMD');
    expect(service.healthcheck!.retries).toBeGreaterThan(0);
    for (const network of service.networks!) expect(compose.networks).toHaveProperty(network);
    for (const { source } of service.secrets ?? []) expect(compose.secrets).toHaveProperty(source);
    for (const volume of service.volumes ?? []) {
      const [from, to] = volume.split(':');
      expect(to).toMatch(/^\//);
      if (from!.startsWith('./')) expect(statSync(new URL(from!, root)), volume).toBeDefined();
      else expect(compose.volumes).toHaveProperty(from!);
    }
  });

  test.each(services)('%s: listens on loopback only', (_name, { ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$/);
  });

  test.each(services)('%s: waits until what it needs is healthy, without a circle', (name, { depends_on = {} }) => {
    for (const [needed, { condition }] of Object.entries(depends_on)) {
      expect(compose.services).toHaveProperty(needed);
      expect(condition).toBe('service_healthy');
    }
    const reached = new Set<string>();
    const follow = (from: string): void => {
      for (const next of Object.keys(compose.services[from]!.depends_on ?? {})) {
        if (reached.has(next)) continue;
        reached.add(next);
        follow(next);
      }
    };
    follow(name);
    expect(reached).not.toContain(name);
  });

  test.each(ours)('%s: only settings that the product knows, and such as it accepts', (_name, { environment = {} }) => {
    for (const name of Object.keys(environment)) expect(settingsSchema.shape).toHaveProperty(name);
    const filled = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [name, interpolate(value, madeSecrets())]),
    );
    expect(loadSettings(filled).bus).toMatchObject({ kind: 'kafka' });
    expect(loadSettings(filled).controlDatabase).toMatchObject({ kind: 'parts', host: 'postgres' });
  });

  test.each(ours)('%s: runs a command that the command line has', (_name, { command }) => {
    const known = createProgram(processTerminal).commands.map((each) => each.name());
    expect(known).toContain(command![0]!);
  });

  test('looks at each process, and scrapes it, where it listens', () => {
    const { scrape_configs } = parse(read('infra/monitoring/prometheus/prometheus.yml')) as {
      scrape_configs: { dns_sd_configs?: { names: string[]; port: number }[] }[];
    };
    const scraped = new Map(
      scrape_configs.flatMap(({ dns_sd_configs = [] }) =>
        dns_sd_configs.flatMap(({ names, port }) => names.map((name) => [name, port] as const)),
      ),
    );
    for (const [name, { command, healthcheck, environment = {} }] of ours) {
      const { stage, syncService } = loadSettings({ STAGE_PORT: environment['STAGE_PORT'] });
      const isStage = !['gateway', 'sync-service'].includes(command![0]!);
      if (name !== 'gateway') expect(scraped.get(name), name).toBe(isStage ? stage.port : syncService.port);
      expect(healthcheck!.test, name).toEqual([
        'CMD',
        'node',
        '/app/infra/docker/healthcheck.js',
        isStage ? 'stage' : command![0]!,
      ]);
    }
  });

  test('holds no secret: each must be given, and make-env gives them all', () => {
    const made = madeSecrets();
    const required = [...read('docker-compose.yml').matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name!);
    expect(new Set(required)).toEqual(new Set(Object.keys(made)));
    for (const { environment } of Object.values(compose.secrets)) expect(made).toHaveProperty(environment);
    for (const [name, { environment = {} }] of services) {
      for (const [variable, value] of Object.entries(environment)) {
        if (/PASSWORD|_KEY$|SECRET/.test(variable))
          expect(value, `${name} ${variable}`).toMatch(/^\$\{[A-Z_]+:(\?|-\}$)/);
      }
    }
  });

  test('makes other secrets each time', () => {
    expect(Object.values(madeSecrets())).not.toEqual(Object.values(madeSecrets()));
  });
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n');

  test('is built from pinned images and runs as nobody special', () => {
    const bases = lines.filter((line) => line.startsWith('FROM '));
    expect(bases.length).toBeGreaterThan(1);
    for (const base of bases) expect(base).toMatch(/^FROM node:24\.\d+\.\d+-bookworm-slim( AS [a-z]+)?$/);
    expect(lines).toContain('USER node');
    expect(lines.findIndex((line) => line === 'USER node')).toBeGreaterThan(
      lines.findLastIndex((line) => line.startsWith('RUN ')),
    );
    expect(lines.some((line) => line.startsWith('HEALTHCHECK '))).toBe(true);
  });

  test('has every process listen where others of its network reach it', () => {
    for (const name of ['GATEWAY_HOST', 'SYNC_SERVICE_HOST', 'STAGE_HOST'])
      expect(lines.some((line) => line.includes(`${name}=0.0.0.0`))).toBe(true);
  });

  test('copies what is there, and what the ignore file lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    for (const path of copied) {
      expect(statSync(new URL(path, root)), path).toBeDefined();
      expect(allowed).toContain(path);
    }
  });

  test('has every folder that the services import', () => {
    const copied = lines.join('\n');
    for (const folder of readdirSync(fileURLToPath(root), { withFileTypes: true })) {
      if (folder.isDirectory() && ['schemas', 'connectors', 'services'].includes(folder.name))
        expect(copied).toContain(`COPY ${folder.name} `);
    }
  });
});

function madeSecrets(): Record<string, string> {
  const script = fileURLToPath(new URL('infra/docker/make-env.js', root));
  const text = execFileSync(process.execPath, [script], { encoding: 'utf8' });
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** What compose makes of `${NAME:?…}` and `${NAME:-default}`. */
function interpolate(text: string, variables: Record<string, string>): string {
  return text.replace(/\$\{([A-Z_]+)(?::([?-])([^}]*))?\}/g, (_all, name: string, kind?: string, rest?: string) => {
    const value = variables[name] ?? (kind === '-' ? rest : undefined);
    if (value === undefined) throw new Error(`${name} is not set`);
    return value;
  });
}
