import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { defaultThresholds } from '#schemas/alerts.ts';
import type { AlertMessage } from '#schemas/http/alerts.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import type { Control } from '#services/control/control.ts';
import { AlertMetrics } from '#services/gateway/alerts/alert-metrics.ts';
import { openChannels, type Channel } from '#services/gateway/alerts/channels.ts';
import type { Measured } from '#services/gateway/alerts/conditions.ts';
import { AlertKeeper } from '#services/gateway/alerts/keeper.ts';
import type { GatewayDeps } from '#services/gateway/gateway.ts';
import { PatientDatabase } from '#services/gateway/patience.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { createMetrics, type Metrics } from '#services/kernel/metrics.ts';
import { SmtpServer } from '#test/support/smtp-server.ts';
import { makePair, withControl } from '../../control/fixture.ts';
import { defaults, StubSyncService } from '../fixture.ts';

const fixture = withControl();
const signal = new AbortController().signal;
const request = { requests: 0, errors: 0, seconds: 0, prompt: 0, promptSeconds: 0 };
const fine: Measured = {
  machine: { cpu: 5, memory: 5, disk: 5 },
  failedOperations: 0,
  newLetters: [],
  responses: [],
  deliveries: [],
};

let hook: Server;
let answer = 200;
const posted: AlertMessage[] = [];
let smtp: SmtpServer;
let channels: Channel[];
let clock: ManualClock;
let metrics: Metrics;
let alertMetrics: AlertMetrics;
let measured: Measured;
let control: Control;

beforeAll(async () => {
  hook = createServer((incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    incoming.on('end', () => {
      if (answer === 200) posted.push(JSON.parse(body) as AlertMessage);
      response.writeHead(answer).end();
    });
  }).listen(0, '127.0.0.1');
  await once(hook, 'listening');
  smtp = await SmtpServer.start();
});
afterAll(async () => {
  hook.closeAllConnections();
  hook.close();
  await once(hook, 'close');
  await smtp[Symbol.asyncDispose]();
});
beforeEach(async () => {
  ({ control } = fixture);
  await control.database.run('TRUNCATE terrafusion.alerts, terrafusion.alert_deliveries, terrafusion.systems CASCADE');
  clock = new ManualClock();
  const url = new Secret(`http://127.0.0.1:${(hook.address() as AddressInfo).port}/`);
  const email = { smtp: new Secret(smtp.url), from: 'sync@county.example', to: ['ops@county.example'] };
  channels = openChannels({ webhook: { url, secret: undefined }, email }, clock);
  metrics = createMetrics({ component: 'gateway', processMetrics: false });
  alertMetrics = new AlertMetrics(metrics);
  measured = fine;
  posted.length = smtp.mails.length = 0;
  answer = 200;
  smtp.refuse = undefined;
});

/** The same, but for some of its methods. */
function altered<T extends object>(of: T, more: Partial<T>): T {
  return new Proxy(of, {
    get: (target, name) => {
      const own = (more as Record<PropertyKey, unknown>)[name] ?? (target as Record<PropertyKey, unknown>)[name];
      return typeof own === 'function' ? (own.bind(target) as unknown) : own;
    },
  });
}

function keeper(more: Partial<Control> = {}, meter?: 'real'): AlertKeeper {
  const deps: GatewayDeps = {
    control: { ...control, ...more },
    syncService: new StubSyncService() as unknown as GatewayDeps['syncService'],
    supervision: () => undefined,
    metrics,
    // Facts are waited for by the real clock, so that a test need not move time for them.
    clock: { now: () => clock.now(), monotonic: () => clock.monotonic(), sleep: () => new Promise(() => undefined) },
    log: pino({ level: 'silent' }),
    options: defaults,
  };
  return new AlertKeeper({
    deps,
    database: new PatientDatabase(deps.clock),
    metrics: alertMetrics,
    channels,
    thresholds: defaultThresholds,
    repeatMs: 4 * 3600_000,
    groupMs: 30_000,
    requestTotals: () => request,
    startedAt: new Date(0),
    ...(meter === 'real' ? {} : { meter: { measure: () => Promise.resolve(measured) } }),
  });
}
const fail = async (name: string): Promise<string> => {
  const pair = await makePair(control, name);
  await control.runs.setDesired(pair.id, 'running');
  await control.runs.recordState(pair.id, 'failed', new TerraFusionError('SOURCE_SLOT_MISSING', `${name} has no slot`));
  return pair.id;
};
const after = async (one: AlertKeeper, ...seconds: number[]): Promise<void> => {
  for (const each of seconds) {
    clock.advance(each * 1000);
    await one.look(signal);
  }
};
const told = () => posted.map(({ alerts }) => alerts.map(({ code, pair, what }) => `${code} ${pair ?? ''} ${what}`));
const figure = async (line: string) =>
  Number(
    new RegExp(`^terrafusion_${line.replace(/[{}]/g, '\\$&')} (.*)$`, 'm').exec((await metrics.render()).text)?.[1],
  );

describe('alerts', () => {
  test('that come together go out together, by every channel, once; and so does their end', async () => {
    const one = keeper();
    const ids = [await fail('owners'), await fail('values')];
    await after(one, 0, 20);
    expect(posted).toEqual([]);
    await after(one, 10, 10, 10);
    expect(told()).toEqual([['pair_failed owners raised', 'pair_failed values raised']]);
    expect(smtp.mails).toHaveLength(1);
    expect(smtp.mails[0]!.text).toContain('Subject: [TerraFusion] CRITICAL: pair_failed owners and 1 more');
    for (const id of ids) await control.runs.setDesired(id, 'running');
    await control.database.run(`UPDATE terrafusion.sync_pairs SET state = 'streaming', error = NULL`);
    await after(one, 10, 60, 30);
    expect(told()[1]).toEqual(['pair_failed owners resolved', 'pair_failed values resolved']);
    expect(posted[1]).toMatchObject({ status: 'resolved' });
    expect(smtp.mails).toHaveLength(2);
    expect(await figure('alert_deliveries_total{channel="email",outcome="sent",component="gateway"}')).toBe(2);
    const { items } = await control.alerts.list({ state: 'resolved' }, { limit: 9 });
    expect(items.map(({ pair, toldAt }) => [pair, toldAt !== undefined])).toEqual([
      ['values', true],
      ['owners', true],
    ]);
  });

  test('are judged and told once by two gateways', async () => {
    await fail('owners');
    const [one, other] = [keeper(), keeper()];
    await Promise.all([one.look(signal), other.look(signal)]);
    clock.advance(30_000);
    await Promise.all([one.look(signal), other.look(signal)]);
    await Promise.all([one.look(signal), other.look(signal)]);
    expect(told()).toEqual([['pair_failed owners raised']]);
    expect(smtp.mails).toHaveLength(1);
  });

  test('survive a restart: neither told twice nor forgotten', async () => {
    await fail('owners');
    await after(keeper(), 0, 30);
    await after(keeper(), 10, 10);
    expect(told()).toHaveLength(1);
    await control.database.run('DELETE FROM terrafusion.sync_pairs');
    await after(keeper(), 60, 30);
    expect(told()[1]).toEqual(['pair_failed owners resolved']);
  });

  test('acknowledged ones are not told again, silenced ones not at all', async () => {
    await fail('owners');
    await fail('values');
    const one = keeper();
    await after(one, 0);
    const [owners, values] = await control.alerts.open();
    await control.alerts.silence(values!.id, 'me', new Date(clock.now() + 86_400_000), 'moving');
    await after(one, 30);
    await control.alerts.acknowledge(owners!.id, 'me', undefined, new Date(clock.now()));
    await after(one, 5 * 3600, 60);
    expect(told()).toEqual([['pair_failed owners raised']]);
    await control.alerts.silence(values!.id, 'me', undefined, undefined);
    await after(one, 10, 30);
    expect(told()[1]).toEqual(['pair_failed values raised']);
  });

  test('are counted by rule and state', async () => {
    await fail('owners');
    await keeper().look(signal);
    expect(await figure('alerts{rule="pair_failed",state="firing",component="gateway"}')).toBe(1);
    expect(await figure('alerts{rule="cpu",state="firing",component="gateway"}')).toBe(0);
  });
});

describe('a message that is not taken', () => {
  test('is sent again with growing waits, the very same one, until it is', async () => {
    await fail('owners');
    const one = keeper();
    answer = 503;
    await after(one, 0, 30);
    await after(one, 5);
    expect(await figure('alert_deliveries_total{channel="webhook",outcome="retried",component="gateway"}')).toBe(1);
    await after(one, 5);
    expect(await figure('alert_deliveries_total{channel="webhook",outcome="retried",component="gateway"}')).toBe(2);
    const waiting = await control.database.one<{ id: string }>(
      `SELECT id FROM terrafusion.alert_deliveries WHERE channel = 'webhook'`,
    );
    answer = 200;
    await after(one, 30);
    expect(posted.map(({ id }) => id)).toEqual([waiting!.id]);
    expect(smtp.mails).toHaveLength(1);
  });

  test('is given up after its last try, which is an alert told by the other channel', async () => {
    await fail('owners');
    const one = keeper({}, 'real');
    answer = 500;
    await after(one, 0, 30, 10, 30);
    // Three tries: it shows.
    await after(one, 10);
    expect(await control.alerts.open()).toContainEqual(
      expect.objectContaining({ code: 'alert_delivery', subject: 'webhook', state: 'firing' }),
    );
    await after(one, 110, 600, 1800, 60);
    expect(
      await figure('alert_deliveries_total{channel="webhook",outcome="failed",component="gateway"}'),
    ).toBeGreaterThan(0);
    expect(smtp.mails.some(({ text }) => text.includes('alert_delivery'))).toBe(true);
    const webhook = await control.database.query<{ message: AlertMessage }>(
      `SELECT message FROM terrafusion.alert_deliveries WHERE channel = 'webhook'`,
    );
    expect(JSON.stringify(webhook)).not.toContain('alert_delivery');
    // Something goes through again: it is over.
    answer = 200;
    await fail('values');
    await after(one, 10, 30, 10, 60);
    expect((await control.alerts.open()).filter(({ code }) => code === 'alert_delivery')).toEqual([]);
  });

  test('is given up at once when it is refused for good', async () => {
    await fail('owners');
    answer = 404;
    await after(keeper(), 0, 30);
    expect(await figure('alert_deliveries_total{channel="webhook",outcome="failed",component="gateway"}')).toBe(1);
  });

  test('whose sender was killed is sent again', async () => {
    await fail('owners');
    const one = keeper();
    await after(one, 0);
    clock.advance(30_000);
    // Taken, and then nothing: a process that ends here.
    const dying = keeper({ alertDeliveries: altered(control.alertDeliveries, {
      take: async (now: Date) => { await control.alertDeliveries.take(now); throw new Error('killed'); },
    }) }); // prettier-ignore
    await expect(dying.look(signal)).rejects.toThrow('killed');
    await after(one, 60);
    expect(posted).toEqual([]);
    await after(one, 60);
    expect(told()).toEqual([['pair_failed owners raised']]);
  });
});

describe('without the control database', () => {
  test('that it is away is told all the same, again after a while, and that it is back', async () => {
    let away = true;
    const pairs = altered(control.pairs, {
      list: (...args: Parameters<Control['pairs']['list']>) =>
        away
          ? Promise.reject(new TerraFusionError('CONTROL_DATABASE_UNREACHABLE', 'It does not answer'))
          : control.pairs.list(...args),
    });
    const one = keeper({ pairs });
    await after(one, 0, 20);
    expect(posted).toEqual([]);
    await after(one, 10, 10);
    expect(posted).toHaveLength(1);
    expect(posted[0]!.alerts[0]).toMatchObject({ id: null, code: 'component_down', subject: 'control-database' });
    expect(smtp.mails).toHaveLength(1);
    await after(one, 4 * 3600);
    expect(posted[1]!.alerts[0]).toMatchObject({ what: 'again' });
    away = false;
    await after(one, 10);
    expect(posted[2]).toMatchObject({ status: 'resolved', alerts: [{ what: 'resolved' }] });
  });

  test('alerts that are open stay open', async () => {
    await fail('owners');
    await after(keeper(), 0, 30);
    const broken = altered(control.pairs, {
      list: () => Promise.reject(new TerraFusionError('CONTROL_DATABASE_UNREACHABLE', 'away')),
    });
    await after(keeper({ pairs: broken }), 600);
    expect(await control.alerts.open()).toHaveLength(1);
  });
});
