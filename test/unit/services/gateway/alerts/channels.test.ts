import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { defaultThresholds } from '#schemas/alerts.ts';
import { alertMessage, type AlertMessage } from '#schemas/http/alerts.ts';
import { Secret } from '#schemas/secret.ts';
import type { AlertRecord } from '#services/control/alerts.ts';
import { DeliveryError, openChannels, type Channel } from '#services/gateway/alerts/channels.ts';
import { messageOf, subjectOf, textOf, wrap } from '#services/gateway/alerts/message.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { freePort } from '#test/support/ports.ts';
import { SmtpServer } from '#test/support/smtp-server.ts';

type Told = AlertMessage['alerts'][number];
const told: Told = {
  id: '7',
  what: 'raised',
  code: 'replication_lag',
  severity: 'warning',
  message: '90 seconds behind its source',
  pair: 'owners',
  subject: null,
  value: 90,
  threshold: 60,
  runbook: '/runbooks/lag',
  since: '2026-01-31T08:15:30.000Z',
  resolved_at: null,
};
const gone: Told = { ...told, id: '6', what: 'resolved', code: 'disk', pair: null, resolved_at: told.since };
const message = wrap([gone, told], new Date(0));
const signal = new AbortController().signal;
const clock = new ManualClock();
const secret = new Secret('a secret between the two');

const failure = async (channel: Channel, how = signal): Promise<DeliveryError> => {
  const thrown = await channel.send(message, how).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(DeliveryError);
  return thrown as DeliveryError;
};

test('a secret that somebody has put into an error does not leave (Promise 8)', () => {
  const now = new Date(0);
  const alert = { ...told, id: '1', key: 'k', state: 'firing', since: now, seenAt: now, notice: 'raised' } as const;
  const record = { ...alert, message: 'no route to postgresql://sync:hunter2@db/pacs' } as unknown as AlertRecord;
  const sent = messageOf([record], defaultThresholds, now);
  expect(alertMessage.safeParse(sent).error).toBeUndefined();
  expect(JSON.stringify(sent) + textOf(sent)).not.toContain('hunter2');
});

describe('a webhook', () => {
  let server: Server;
  let url: string;
  let status = 200;
  let seen: { headers: IncomingHttpHeaders; body: string }[] = [];
  const channel = (path = '/hook?token=hunter2'): Channel =>
    openChannels({ webhook: { url: new Secret(url + path), secret }, email: undefined }, clock)[0]!;

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        if (request.url === '/silent') return;
        seen.push({ headers: request.headers, body });
        response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end('thank you');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    status = 200;
    seen = [];
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  test('gets the message as documented, signed with the time in it', async () => {
    await channel().send(message, signal);
    const [{ headers, body }] = seen as [(typeof seen)[number]];
    expect(alertMessage.parse(JSON.parse(body))).toEqual(message);
    expect(headers['content-type']).toBe('application/json');
    expect(headers['x-terrafusion-message']).toBe(message.id);
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-terrafusion-signature'] as string)!;
    expect(Number(t)).toBe(Math.floor(clock.now() / 1000));
    expect(v1).toBe(createHmac('sha256', secret.reveal()).update(`${t!}.${body}`).digest('hex'));
  });

  test('gets links that open where it is read, when it is known where the gateway is found', async () => {
    for (const publicUrl of ['https://sync.county.example/tf', 'https://sync.county.example/tf/']) {
      await using linked = openChannels(
        { webhook: { url: new Secret(`${url}/hook`), secret }, email: undefined, publicUrl },
        clock,
      )[0]!;
      await linked.send(message, signal);
      const body = alertMessage.parse(JSON.parse(seen.at(-1)!.body));
      expect(new Set(body.alerts.map(({ runbook }) => runbook))).toEqual(
        new Set(['https://sync.county.example/tf/runbooks/lag']),
      );
      expect(textOf(body)).toContain('What to do: https://sync.county.example/tf/runbooks/lag\n');
    }
    expect(textOf(message)).toContain('What to do: /runbooks/lag at the gateway\n');
  });

  test.each([
    [500, true],
    [503, true],
    [429, true],
    [408, true],
    [400, false],
    [404, false],
    [410, false],
    [302, false],
  ])('that answers %i is worth another try: %s', async (answer, again) => {
    status = answer;
    const error = await failure(channel());
    expect(error.message).toContain(`answered ${answer}`);
    expect(error.again).toBe(again);
    // A redirect is not followed.
    expect(seen).toHaveLength(1);
  });

  test('that is not there, or says nothing, is tried again; its path is never told', async () => {
    const away = openChannels(
      {
        webhook: { url: new Secret(`http://127.0.0.1:${await freePort()}/hunter2`), secret: undefined },
        email: undefined,
      },
      clock,
    )[0]!;
    const [refused, late] = [await failure(away), await failure(channel('/silent'), AbortSignal.timeout(50))];
    expect([refused.again, late.again]).toEqual([true, true]);
    expect(refused.message + away.to + channel().to).not.toContain('hunter2');
  });
});

describe('an e-mail', () => {
  let server: SmtpServer;
  let channel: Channel;
  beforeAll(async () => {
    server = await SmtpServer.start();
    const email = {
      smtp: new Secret(server.url),
      from: 'sync@county.example',
      to: ['a@county.example', 'b@county.example'],
    };
    channel = openChannels({ webhook: undefined, email }, clock)[0]!;
  });
  beforeEach(() => {
    server.refuse = undefined;
    server.silent = false;
  });
  afterAll(async () => {
    await channel[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('says in words what a webhook is sent', async () => {
    await channel.send(message, signal);
    const mail = server.mails.at(-1)!;
    expect([mail.from, mail.to]).toEqual(['sync@county.example', ['a@county.example', 'b@county.example']]);
    expect(mail.text).toContain('Subject: [TerraFusion] warning: replication_lag owners');
    expect(mail.text).toContain(`Message-ID: <${message.id}@terrafusion-sync>`);
    expect(mail.text).toContain('WARNING: replication_lag, pair owners');
    expect(mail.text).toContain('/runbooks/lag');
    expect(mail.text).toContain('resolved: disk (gone)');
  });

  test.each([
    ['451 try again later', true],
    ['552 no room', false],
    ['554 no', false],
  ])('answered "%s" is worth another try: %s', async (answer, again) => {
    server.refuse = answer;
    const error = await failure(channel);
    expect(error.again).toBe(again);
    expect(error.message).toContain(answer.slice(4));
  });

  test('to a server that says nothing ends with its time', async () => {
    server.silent = true;
    expect((await failure(channel, AbortSignal.timeout(50))).again).toBe(true);
  });

  test('has one line as its subject, whatever is in an alert', () => {
    const evil = wrap(
      [{ ...told, severity: 'critical', pair: 'x\r\nBcc: all@county.example' }, gone, told],
      new Date(0),
    );
    expect(subjectOf(evil)).toBe('[TerraFusion] CRITICAL: replication_lag x Bcc: all@county.example and 1 more');
    expect(subjectOf(wrap([gone], new Date(0)))).toBe('[TerraFusion] resolved: disk');
    expect(textOf(evil)).toContain('CRITICAL: replication_lag');
  });
});
