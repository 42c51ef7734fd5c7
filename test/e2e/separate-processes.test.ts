import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { StatusView } from '#schemas/http/status.ts';
import { terrafusion } from '#test/support/cli.ts';
import { createDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { startKafka, whyNoKafka, type TestKafka } from '#test/support/kafka.ts';
import { freePort } from '#test/support/ports.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { describeUnless } from '#test/support/suites.ts';
import { ServiceProcess } from '#test/support/service-process.ts';

const stages = ['reader', 'stream-processor', 'writer'] as const;
const key = `tfk_tests_${'k'.repeat(40)}`;
const reason = await whyNoKafka();

/** As docker-compose.yml runs it: five processes, Kafka between them, a control database of its own. */
describeUnless(reason, 'each part as a process of its own', () => {
  let kafka: TestKafka | undefined;
  let folder: string | undefined;
  let url: string;
  let environment: Record<string, string>;
  let control: TestDatabase | undefined;
  let source: TestDatabase;
  let target: TestDatabase;
  const processes = new Map<string, ServiceProcess>();
  const stagePorts = new Map<string, string>();

  const start = (name: string, more: Record<string, string> = {}): void => {
    const port = stagePorts.get(name);
    processes.set(
      name,
      new ServiceProcess(
        {
          ...environment,
          TERRAFUSION_DATA: join(folder!, name),
          ...(port === undefined ? {} : { STAGE_PORT: port }),
          ...more,
        },
        [name],
      ),
    );
  };
  const at = async (name: string, path: string): Promise<{ status: number; text: string }> => {
    const reply = await fetch(`http://127.0.0.1:${stagePorts.get(name)!}${path}`);
    return { status: reply.status, text: await reply.text() };
  };
  /** Exit code of the image's health check. */
  const healthCheck = async (name: string): Promise<number> => {
    const script = fileURLToPath(new URL('../../infra/docker/healthcheck.js', import.meta.url));
    const check = spawn(process.execPath, [script, 'stage'], { env: { STAGE_PORT: stagePorts.get(name)! } });
    return ((await once(check, 'exit')) as [number])[0];
  };
  const ask = async (method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> => {
    const reply = await fetch(new URL(path, url), {
      method,
      headers: {
        'x-api-key': key,
        'x-request-id': `separate-${method}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: reply.status, body: await reply.json() };
  };
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${environment['SYNC_SERVICE_PORT']!}/health/ready`)).ok;
  const fence = () =>
    eventually(
      async () => {
        const { status, body } = await ask('POST', '/api/sync-pairs/separate/fence?timeout_s=30');
        if (status !== 200) throw new Error(JSON.stringify(body));
        return true;
      },
      { within: 90_000, every: 200, what: 'the fence' },
    );

  beforeAll(async () => {
    kafka = (await startKafka())!;
    folder = await mkdtemp(join(tmpdir(), 'terrafusion-separate-'));
    control = await createDatabase(inject('targetServer'), 'control');
    [source, target] = await Promise.all([freshDatabase('source'), freshDatabase('target')]);
    const [gatewayPort, syncServicePort] = [await freePort(), await freePort()];
    url = `http://127.0.0.1:${gatewayPort}`;
    environment = {
      DATABASE_URL: control.url,
      KAFKA_BROKERS: kafka.brokers.join(','),
      GATEWAY_PORT: String(gatewayPort),
      SYNC_SERVICE_PORT: String(syncServicePort),
      SYNC_SERVICE_STAGES: 'separate',
      SYNCSERVICE_API_KEY: 'a-key-between-the-two',
      TERRAFUSION_MASTER_KEY: 'one-master-key-for-all-of-them',
      TERRAFUSION_ADMIN_KEY: key,
      RATE_LIMIT_PER_MINUTE: '0',
    };
    await source.query(
      'CREATE TABLE parcel (id int PRIMARY KEY, pin text NOT NULL); INSERT INTO parcel SELECT n, n::text FROM generate_series(1, 500) n',
    );
    start('sync-service');
    start('gateway', { SYNC_SERVICE_URL: `http://127.0.0.1:${syncServicePort}` });
    for (const stage of stages) {
      stagePorts.set(stage, String(await freePort()));
      start(stage);
    }
  });
  afterAll(async () => {
    await Promise.all([...processes.values()].map((process) => process.stop()));
    await control?.drop();
    await kafka?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  test('shows all of them in the status', async () => {
    await eventually(
      async () => {
        const body = (await ask('GET', '/api/status')).body as StatusView;
        expect(body.state).toBe('up');
        for (const stage of stages)
          expect(body.components.find(({ name }) => name.startsWith(`${stage} `))).toMatchObject({ state: 'up' });
        return true;
      },
      { within: 60_000, every: 200, what: 'everything to be up' },
    ).catch((error: unknown) => {
      throw new Error([...processes].map(([name, { said }]) => `${name}:\n${said}`).join('\n'), { cause: error });
    });
  });

  test.each(stages)('the %s tells its health and metrics, and takes no commands', async (stage) => {
    expect((await at(stage, '/health/live')).status).toBe(200);
    const health = await at(stage, '/health/ready');
    expect(health.status).toBe(200);
    expect(JSON.parse(health.text)).toEqual({ status: 'ok', checks: { control_database: 'ok', bus: 'ok' } });
    expect((await at(stage, '/health')).text).toContain(`Runs ${stage}`);
    const metrics = await at(stage, '/metrics');
    expect(metrics.text).toContain(`component="${stage}"`);
    expect(metrics.text).toContain('# TYPE terrafusion_changes_read_total counter');
    expect((await at(stage, '/sync-pairs')).status).toBe(401);
    expect(await healthCheck(stage)).toBe(0);
  });

  test('brings a pair to its target', async () => {
    const made = await ask('POST', '/api/sync-pairs', {
      name: 'separate',
      source: { connection: { url: source.url } },
      target: { connection: { url: target.url } },
      start: true,
    });
    expect(made, JSON.stringify(made.body)).toMatchObject({ status: 201 });
    await fence();
    // One id finds what the request led to in the log of every process that worked for it.
    for (const name of ['gateway', 'sync-service', 'stream-processor', 'writer']) {
      const logs = join(folder!, name, 'logs');
      const { stdout } = await terrafusion(['logs', '--folder', logs, '--request', 'separate-POST', '--json']);
      const [line = '{}'] = stdout.split('\n');
      expect(JSON.parse(line), name).toMatchObject({
        name,
        pair: 'separate',
        pair_id: (made.body as { id: string }).id,
      });
    }
    expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(500);
    await source.query(`UPDATE parcel SET pin = 'changed' WHERE id <= 100; DELETE FROM parcel WHERE id > 400`);
    await fence();
    expect(await target.value(`SELECT count(*)::int FROM parcel`)).toBe(400);
    expect(await target.value(`SELECT count(*)::int FROM parcel WHERE pin = 'changed'`)).toBe(100);
    // Each stage's figures are its own.
    expect((await at('reader', '/metrics')).text).toMatch(/terrafusion_changes_read_total\{[^}]*source=[^}]*\} [1-9]/);
    expect((await at('writer', '/metrics')).text).toMatch(
      /terrafusion_changes_applied_total\{[^}]*op="update"[^}]*\} [1-9]/,
    );
  });

  test.each([...stages, 'sync-service'])('goes on when the %s was killed and is started again', async (name) => {
    await processes.get(name)!.kill();
    if (name !== 'sync-service') expect(await healthCheck(name)).toBe(1);
    await source.query(`INSERT INTO parcel SELECT max(id) + 1, $1 FROM parcel`, [`while the ${name} was away`]);
    start(name);
    await fence();
    expect(await target.value('SELECT count(*)::int FROM parcel WHERE pin = $1', [`while the ${name} was away`])).toBe(
      1,
    );
    // It is told as "catching_up" until the new process has seen it to stream.
    await eventually(
      async () => ((await ask('GET', '/api/sync-pairs/separate')).body as { state: string }).state === 'streaming',
      {
        what: 'the pair to be told as streaming',
      },
    );
    if (name === 'sync-service') await eventually(isReady, { what: 'the sync-service to be ready' });
  });

  test('ends each of them with 0 when it is told to stop', async () => {
    for (const [name, process] of processes) expect(await process.stop(), name).toEqual({ code: 0, signal: null });
  });
});
