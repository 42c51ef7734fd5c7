import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '#schemas/secret.ts';
import { Demo, type DemoConnection, type DemoGateway } from '#services/demo/demo.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';

/** A gateway that keeps what it is told, and fails at one call if wanted. */
class FakeGateway implements DemoGateway {
  readonly systems = new Map<string, DemoConnection>();
  readonly pairs = new Set<string>();
  readonly calls: string[] = [];
  failAt: string | undefined;

  findConnection(system: string) {
    return Promise.resolve(this.systems.get(system) as Record<string, unknown> | undefined);
  }

  async createSystem({ name, connection }: { name: string; connection: DemoConnection }) {
    await this.#call(`create ${name}`);
    this.systems.set(name, connection);
  }

  async changeConnection(system: string, connection: DemoConnection) {
    await this.#call(`change ${system}`);
    this.systems.set(system, connection);
  }

  hasPair(name: string) {
    return Promise.resolve(this.pairs.has(name));
  }

  async createPair({ name }: { name: string }) {
    await this.#call(`create ${name}`);
    this.pairs.add(name);
  }

  #call(call: string): Promise<void> {
    if (this.failAt === call) return Promise.reject(new Error('cut short'));
    this.calls.push(call);
    return Promise.resolve();
  }
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-demo-'));
});
afterEach(() => rm(folder, { recursive: true }));

const open = (port = 5433): Promise<Demo> =>
  Demo.open({
    folder: join(folder, 'demo'),
    cluster: { port, urlOf: () => new Secret('') },
    clock: systemClock,
    log: silentLog,
  });

const all = ['create county-pacs', 'create county-cama', 'create pacs-to-cama'];

describe('the demo at the gateway', () => {
  test('is two systems and a pair, made once', async () => {
    const gateway = new FakeGateway();
    expect(await (await open()).register(gateway)).toBe(true);
    expect(await (await open()).register(gateway)).toBe(true);
    expect(gateway.calls).toEqual(all);
    expect(gateway.systems.get('county-pacs')).toEqual({
      url: 'postgresql://terrafusion_source@127.0.0.1:5433/county_pacs',
      password_file: join(folder, 'demo', 'source-password'),
    });
  });

  test.each(all)('goes on where it was cut short: at "%s"', async (call) => {
    const gateway = new FakeGateway();
    gateway.failAt = call;
    await expect((await open()).register(gateway)).rejects.toThrow('cut short');
    gateway.failAt = undefined;
    expect(await (await open()).register(gateway)).toBe(true);
    expect(gateway.calls).toEqual(all);
  });

  test('follows the cluster to another port', async () => {
    const gateway = new FakeGateway();
    await (await open()).register(gateway);
    await (await open(6000)).register(gateway);
    expect(gateway.calls.slice(3)).toEqual(['change county-pacs', 'change county-cama']);
    expect(gateway.systems.get('county-cama')!.url).toContain(':6000/county_cama');
  });

  test('stays away once somebody has deleted it', async () => {
    const gateway = new FakeGateway();
    await (await open()).register(gateway);
    gateway.pairs.clear();
    gateway.systems.clear();
    expect(await (await open()).register(gateway)).toBe(false);
    expect(gateway.calls).toEqual(all);
  });

  test('keeps its passwords, in files for their owner only', async () => {
    await open();
    const read = (): Promise<string> => readFile(join(folder, 'demo', 'source-password'), 'utf8');
    const first = await read();
    await open();
    expect(await read()).toBe(first);
    expect(first.trim().length).toBeGreaterThanOrEqual(24);
    expect((await stat(join(folder, 'demo', 'source-password'))).mode & 0o077).toBe(0);
  });
});
