import { describe, expect, test } from 'vitest';
import { Lockout, type Subject } from '#services/gateway/access/lockout.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { askApp, withGateway, type Failure } from '../fixture.ts';

const address: Subject = { kind: 'address', id: '10.0.0.1' };
const key: Subject = { kind: 'key', id: 'abc' };

describe('a lockout', () => {
  const begin = (limit = 3) => {
    const clock = new ManualClock();
    const lockout = new Lockout(clock, limit);
    let tried = 0;
    return { clock, lockout, fail: (...who: Subject[]) => lockout.failed(who, `guess ${(tried += 1)}`) };
  };
  const isLocked = (lockout: Lockout, who: Subject): number | undefined => {
    try {
      lockout.assertFree([who]);
      return undefined;
    } catch (error) {
      expect(error).toMatchObject({ code: 'LOCKED_OUT' });
      return (error as { details: { retry_after_s: number } }).details.retry_after_s;
    }
  };

  test('comes with the limit of different wrong keys, and is told once', () => {
    const { lockout, fail } = begin();
    expect([fail(address), fail(address)]).toEqual([[], []]);
    expect(isLocked(lockout, address)).toBeUndefined();
    expect(fail(address)).toEqual([{ ...address, forMs: 30_000, failures: 3 }]);
    expect(isLocked(lockout, address)).toBe(30);
    expect(isLocked(lockout, { ...address, id: '10.0.0.2' })).toBeUndefined();
    // An address is no key, whatever it is called.
    expect(isLocked(lockout, { kind: 'key', id: address.id })).toBeUndefined();
  });

  test('does not come for the same wrong key again and again: that is no guess', () => {
    const { lockout } = begin();
    for (let index = 0; index < 50; index += 1) expect(lockout.failed([address, key], 'revoked')).toEqual([]);
    expect(isLocked(lockout, address)).toBeUndefined();
  });

  test('ends, and is twice as long after the next wrong key, up to a quarter of an hour', () => {
    const { clock, lockout, fail } = begin();
    for (let index = 0; index < 3; index += 1) fail(address);
    for (const seconds of [30, 60, 120, 240, 480, 900, 900]) {
      expect(isLocked(lockout, address)).toBe(seconds);
      clock.advance(seconds * 1000 - 1);
      expect(isLocked(lockout, address)).toBe(1);
      clock.advance(1);
      expect(isLocked(lockout, address)).toBeUndefined();
      expect(fail(address)).toHaveLength(1);
    }
  });

  test('forgets: wrong keys after a quarter of an hour, lockouts after an hour of quiet', () => {
    const { clock, lockout, fail } = begin();
    fail(address);
    fail(address);
    clock.advance(15 * 60_000 + 1);
    expect(fail(address)).toEqual([]);
    fail(address);
    expect(fail(address)).toHaveLength(1);
    clock.advance(60 * 60_000 + 1);
    expect(fail(address)).toEqual([]);
    expect(isLocked(lockout, address)).toBeUndefined();
  });

  test('of a key is over when the right one comes; of an address it is not', () => {
    const { lockout, fail } = begin();
    fail(address, key);
    fail(address, key);
    lockout.succeeded(key);
    expect(fail(address, key)).toMatchObject([address]);
    expect(isLocked(lockout, key)).toBeUndefined();
  });

  test('can be switched off', () => {
    const { lockout, fail } = begin(0);
    for (let index = 0; index < 50; index += 1) expect(fail(address)).toEqual([]);
    expect(isLocked(lockout, address)).toBeUndefined();
  });
});

describe('who tries keys', () => {
  const gateway = withGateway();
  const guess = (index: number, id = 'a'.repeat(12)) => `tfk_${id}_${String(index).padStart(43, 'b')}`;

  test('is shut out by address, audited once, counted; who was in before stays in', async () => {
    const app = await gateway.another({ lockoutFailures: 4 });
    const from = (key: string, remoteAddress = '10.0.0.1') =>
      askApp<Failure>(app, gateway.keys, '/api/systems', { as: { key }, remoteAddress });
    const login = (key: string, remoteAddress = '10.0.0.1') =>
      askApp<Failure>(app, gateway.keys, '/api/session', {
        method: 'POST',
        as: 'nobody',
        body: { key },
        remoteAddress,
      });
    expect((await from(gateway.keys.viewer)).status).toBe(200);
    // By header and by login together, keys of different ids.
    for (const index of [1, 2]) expect((await from(guess(index, `id${index}`))).status).toBe(401);
    for (const index of [3, 4]) expect((await login(guess(index, `id${index}`))).status).toBe(401);
    for (const refused of [await from(guess(5)), await login(guess(6)), await from(gateway.keys.admin)]) {
      expect([refused.status, refused.body.error.code]).toEqual([429, 'LOCKED_OUT']);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect((await from(gateway.keys.viewer)).status).toBe(200);
    expect((await from(gateway.keys.admin, '10.0.0.2')).status).toBe(200);
    const { items } = await gateway.control.audit.list({ action: 'access.locked_out' }, { limit: 9 });
    expect(items).toMatchObject([
      {
        actor: 'gateway',
        outcome: 'failure',
        entityKind: 'address',
        entityId: '10.0.0.1',
        after: { wrong_keys: 4, for_s: 30 },
      },
    ]);
    const metrics = await askApp(app, gateway.keys, '/metrics');
    expect(metrics.text).toMatch(/terrafusion_access_lockouts_total\{by="address",component="gateway"\} 1/);
  });

  test('at one key from many addresses is shut out by its id', async () => {
    const app = await gateway.another({ lockoutFailures: 4 });
    const { record, key } = await gateway.control.apiKeys.create({ name: 'tried', role: 'viewer' });
    const from = (text: string, remoteAddress: string) =>
      askApp<Failure>(app, gateway.keys, '/api/systems', { as: { key: text }, remoteAddress });
    // Its holder is known here.
    expect((await from(key.reveal(), '10.2.0.99')).status).toBe(200);
    for (const index of [1, 2, 3, 4]) expect((await from(guess(index, record.id), `10.2.0.${index}`)).status).toBe(401);
    const refused = await from(guess(5, record.id), '10.2.0.5');
    expect([refused.status, refused.body.error.message]).toEqual([429, `Too many wrong keys with the id ${record.id}`]);
    expect((await from(key.reveal(), '10.2.0.99')).status).toBe(200);
    const { items } = await gateway.control.audit.list({ entityId: record.id }, { limit: 9 });
    expect(items).toMatchObject([{ action: 'access.locked_out', entityKind: 'api_key' }]);
  });
});
