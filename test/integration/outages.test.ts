import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Known } from '#schemas/http/common.ts';
import type { StatusView } from '#schemas/http/status.ts';
import { startGateway, type RunningGateway } from '#services/gateway/main.ts';
import { silentLog } from '#services/kernel/log.ts';
import { loadSettings } from '#services/kernel/settings.ts';
import { createDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { freePort } from '#test/support/ports.ts';
import { openProxy, type Proxy } from '#test/support/proxy.ts';

const bin = fileURLToPath(new URL('../../services/cli/bin.js', import.meta.url));
let gateway: RunningGateway;
let database: TestDatabase;
/** The gateway's way to its control database; the sync-service has one of its own. */
let valve: Proxy;
let folder: string;

beforeAll(async () => {
  database = await createDatabase(inject('targetServer'), 'outages');
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-outages-'));
  const direct = new URL(database.url);
  valve = await openProxy(direct.hostname, Number(direct.port));
  const through = new URL(database.url);
  through.hostname = '127.0.0.1';
  through.port = String(valve.port);
  const environment = {
    TERRAFUSION_DATA: folder,
    GATEWAY_PORT: '0',
    SYNC_SERVICE_PORT: String(await freePort()),
    RATE_LIMIT_PER_MINUTE: '0',
    LOG_LEVEL: 'warn',
  };
  gateway = await startGateway(loadSettings({ ...environment, DATABASE_URL: through.href }), {
    log: silentLog,
    // As usual, but sooner.
    watch: { probeEvery: 500, probeTimeout: 1500, failures: 4 },
    startSyncService: (key) =>
      spawn(process.execPath, [bin, 'sync-service'], {
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        env: {
          ...{ PATH: process.env['PATH'], ...environment, DATABASE_URL: database.url },
          SYNCSERVICE_API_KEY: key.reveal(),
        },
      }),
  });
});

afterAll(async () => {
  valve.open();
  await gateway[Symbol.asyncDispose]();
  await valve[Symbol.asyncDispose]();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

interface Reply<T> {
  readonly status: number;
  readonly body: T;
}

/** `T` is what the caller takes the body for. */
async function ask<T>(path: string, method = 'GET'): Promise<Reply<T>> {
  const reply = await fetch(new URL(path, gateway.url), {
    method,
    headers: { 'x-api-key': gateway.adminKey.key!.reveal() },
  });
  const text = await reply.text();
  return { status: reply.status, body: (text.startsWith('{') ? JSON.parse(text) : { text }) as T };
}
const status = async () => (await ask<StatusView & { known?: Known }>('/api/status')).body;
interface Service {
  readonly state: string;
  readonly message: string;
  readonly details: {
    readonly pid: number | null;
    readonly restarts: number;
    readonly circuit: { readonly state: string };
  };
}
const part = async (name: string) =>
  (await status()).components.find((each) => each.name === name) as unknown as Service;
const ready = async () => (await ask('/health/ready')).status;
const restarts = async () =>
  (await ask<{ items: { after: { reason: string } }[] }>('/api/audit?action=sync_service.restart')).body.items;
const within = { within: 90_000 };

describe('a sync-service', () => {
  test('that hangs is told at once, found by its health call, replaced, counted and audited', async () => {
    await eventually(async () => (await part('sync-service')).state === 'up' && (await ready()) === 200, within);
    const { pid, restarts: before } = (await part('sync-service')).details;
    process.kill(pid!, 'SIGSTOP');
    // Stopped, it still takes connections: only that nothing comes back tells.
    await eventually(async () => (await part('sync-service')).details.circuit.state !== 'closed', within);
    const now = await status();
    expect(now.state).toBe('down');
    expect(now.alerts.map(({ code }) => code)).toContain('component_down');
    expect(await ready()).toBe(503);
    // Everything that does not need it goes on.
    for (const path of ['/api/sync-pairs', '/api/sync-operations', '/api/audit', '/api/systems']) {
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
    }
    const metrics = await ask<{ text: string }>('/metrics');
    expect(metrics.body.text).toMatch(/terrafusion_gateway_circuit_state\{peer="sync-service",[^}]*\} [12]/);
    await eventually(async () => {
      const { state, details } = await part('sync-service');
      return state === 'up' && details.restarts === before + 1 && details.pid !== pid;
    }, within);
    expect((await part('sync-service')).details.circuit.state).toBe('closed');
    expect(await ready()).toBe(200);
    expect(await restarts()).toMatchObject([
      { actor: 'gateway', outcome: 'failure', after: { reason: 'did not answer' } },
    ]);
    expect(() => process.kill(pid!, 0)).toThrow();
    const lives = await ask<{ items: object[] }>('/api/audit?entity_id=sync-service&action=component.started');
    expect(lives.body.items.length).toBeGreaterThanOrEqual(1);
  }, 180_000);
});

describe('a control database', () => {
  test.each(['cut', 'freeze'] as const)(
    'that is gone (%s): what is known, how old it is, what is wrong',
    async (how) => {
      await eventually(async () => (await part('sync-service')).state === 'up', within);
      for (const path of ['/api/sync-pairs', '/api/sync-operations']) expect((await ask(path)).status).toBe(200);
      valve[how]();
      try {
        await eventually(async () => (await part('control-database')).state === 'down', within);
        const now = await status();
        expect(now).toMatchObject({ state: 'down', known: { problem: { code: 'CONTROL_DATABASE_UNREACHABLE' } } });
        // It has a way of its own to the database, and is well.
        expect((await part('sync-service')).state).toBe('up');
        for (const path of ['/api/sync-pairs', '/api/sync-operations']) {
          const { status: code, body } = await ask<{ known: Known; items: unknown[] }>(path);
          expect([path, code]).toEqual([path, 200]);
          expect(body.known.problem.code).toBe('CONTROL_DATABASE_UNREACHABLE');
        }
        for (const [method, path] of [
          ['GET', '/api/audit'],
          ['GET', '/api/dead-letters'],
          ['POST', '/api/sync-pairs/any/pause'],
          ['GET', '/health/ready'],
          ['GET', '/api/sync/health'],
        ] as const) {
          const { status: code } = await ask(path, method);
          expect([path, code]).toEqual([path, 503]);
        }
        expect((await ask('/health/live')).status).toBe(200);
        expect((await ask('/metrics')).status).toBe(200);
      } finally {
        valve.open();
      }
      await eventually(async () => (await status()).known === undefined && (await ready()) === 200, within);
      expect((await ask<{ known?: Known }>('/api/sync-pairs')).body.known).toBeUndefined();
    },
    180_000,
  );

  test('that is gone while the sync-service dies: its restart is audited once it is back', async () => {
    const { pid, restarts: before } = (await part('sync-service')).details;
    const noted = (await restarts()).length;
    valve.cut();
    try {
      process.kill(pid!, 'SIGKILL');
      await eventually(async () => (await part('sync-service')).details.restarts === before + 1, within);
    } finally {
      valve.open();
    }
    await eventually(async () => (await ready()) === 200, within);
    // Within a minute of the one before it is counted with that one.
    await eventually(async () => {
      await gateway.control.database.run(`UPDATE terrafusion.audit_bursts SET ends_at = clock_timestamp()`);
      await gateway.control.audit.tellRepeated();
      return (await restarts()).length > noted;
    }, within);
    expect((await restarts())[0]).toMatchObject({ after: { reason: 'was killed by SIGKILL' } });
  }, 180_000);
});
