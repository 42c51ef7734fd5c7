import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Role } from '#schemas/http/common.ts';
import { createDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { freePort } from '#test/support/ports.ts';
import { descendants } from '#test/support/processes.ts';
import { ServiceProcess } from '#test/support/service-process.ts';
import type { Clusters } from '../clusters.ts';

/** Nobody writes `applied_at`: it tells when the row was written at the target. */
const SCHEMA =
  'CREATE TABLE latency (id bigint PRIMARY KEY, committed_at timestamptz, situs text, value numeric(14, 2))';
const APPLIED = 'ALTER TABLE latency ADD applied_at timestamptz DEFAULT clock_timestamp()';
/** Pairs that are there and rest, so that lists have something in them. */
const RESTING = 20;

/** `terrafusion gateway` with its sync-service, a pair that streams and twenty that rest. */
export interface GatewayProduct extends AsyncDisposable {
  readonly url: string;
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  /** Of the gateway; the sync-service is a process of its own. */
  readonly gatewayPid: number;
  readonly syncServicePid: number;
  key(role: Role, systems?: readonly string[]): Promise<string>;
}

const profiles = fileURLToPath(new URL('../../artefacts/profiles', import.meta.url));

/** @param profile writes CPU profiles of both processes to `test/artefacts/profiles`: for reading, not for figures */
export async function startProduct(
  clusters: Clusters,
  { profile = false }: { readonly profile?: boolean } = {},
): Promise<GatewayProduct> {
  const [source, target] = await Promise.all([
    clusters.source.createDatabase('bench'),
    clusters.target.createDatabase('bench'),
  ]);
  await source.query(SCHEMA);
  await target.query(`${SCHEMA}; ${APPLIED}`);
  const control = await createDatabase(clusters.control.url(), 'control');
  const folder = await mkdtemp(join(tmpdir(), 'terrafusion-bench-'));
  const adminKey = `tfk_bench${randomBytes(4).toString('hex')}_${randomBytes(32).toString('base64url')}`;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const gateway = new ServiceProcess(
    {
      DATABASE_URL: control.url,
      TERRAFUSION_DATA: folder,
      TERRAFUSION_MASTER_KEY: randomBytes(24).toString('hex'),
      TERRAFUSION_ADMIN_KEY: adminKey,
      GATEWAY_PORT: String(port),
      SYNC_SERVICE_PORT: String(await freePort()),
      // Requests are counted as always; the limit alone is out of the way.
      RATE_LIMIT_PER_MINUTE: '1000000',
      LOG_LEVEL: 'warn',
      ...(profile && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` }),
    },
    ['gateway'],
  );
  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const reply = await fetch(new URL(path, url), {
      method,
      headers: { 'x-api-key': adminKey, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path} answered ${reply.status}: ${text}`);
    return JSON.parse(text) as T;
  };
  const close = async (): Promise<void> => {
    if (gateway.running) await gateway.stop();
    await Promise.all([source.drop(), target.drop(), control.drop()]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await eventually(
      async () => {
        if (!gateway.running) throw new Error(gateway.said);
        return (await fetch(new URL('/health', url))).ok;
      },
      { within: 60_000, what: 'the gateway to be ready' },
    );
    const systems = { source: 'bench-source', target: 'bench-target' };
    await ask('POST', '/api/systems', { name: systems.source, connection: { url: source.url } });
    await ask('POST', '/api/systems', { name: systems.target, connection: { url: target.url } });
    for (let number = 0; number < RESTING; number += 1) {
      const tables = [{ source: 'public.latency', target: `resting_${number}.latency` }];
      await ask('POST', '/api/sync-pairs', { name: `resting-${number}`, ...systems, tables });
    }
    const tables = [{ source: 'public.latency', target: 'public.latency' }];
    await ask('POST', '/api/sync-pairs', { name: 'busy', ...systems, tables, start: true });
    await ask('POST', '/api/sync-pairs/busy/fence?timeout_s=60');
    const [syncServicePid] = await descendants(gateway.pid);
    return {
      url,
      source,
      target,
      gatewayPid: gateway.pid,
      syncServicePid: syncServicePid!,
      key: async (role, limits) => {
        const body = { name: `${role} of the bench`, role, ...(limits && { systems: limits }) };
        return (await ask<{ key: string }>('POST', '/api/keys', body)).key;
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
