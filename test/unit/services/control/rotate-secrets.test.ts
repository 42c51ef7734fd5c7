import { describe, expect, test, vi } from 'vitest';
import { Secret } from '#schemas/secret.ts';
import { openControl } from '#services/control/control.ts';
import { rotateSecrets } from '#services/control/rotate-secrets.ts';
import { silentLog } from '#services/kernel/log.ts';
import { SecretBox } from '#services/kernel/secrets.ts';
import { withControlDatabase } from '../kernel/control-database.ts';

const database = withControlDatabase();
const keyNamed = (name: string) => new Secret(`a master key, the ${name} one`);
const [oldKey, newKey, other] = [keyNamed('old'), keyNamed('new'), keyNamed('other')] as const;
const control = (master: Secret, previous?: Secret) => openControl(database.database, new SecretBox(master, previous));
const add = (name: string, master: Secret) =>
  control(master).systems.create({
    name,
    connector: 'postgres',
    connection: { url: 'postgresql://sync@db/x', password: `hunter2 of ${name}` },
    secretFields: ['password'],
  });
const password = async (name: string, master: Secret) =>
  (await control(master).systems.connectionOf(name)).settings['password'];

describe('changing the master key', () => {
  test('encrypts anew what the one before has encrypted: all of it, once, audited', async () => {
    for (const name of ['a', 'b', 'c']) await add(name, oldKey);
    await control(newKey).systems.create({
      name: 'without',
      connector: 'postgres',
      connection: { url: 'x' },
      secretFields: [],
    });
    await add('d', newKey);
    const both = control(newKey, oldKey);
    // With both keys everything is open at once.
    expect((await both.systems.connectionOf('a')).settings['password']).toBe('hunter2 of a');
    expect(await rotateSecrets(both, silentLog)).toEqual({ done: 3, left: 0 });
    for (const name of ['a', 'b', 'c', 'd']) expect(await password(name, newKey)).toBe(`hunter2 of ${name}`);
    await expect(password('a', oldKey)).rejects.toMatchObject({ code: 'MASTER_KEY_WRONG' });
    expect(await rotateSecrets(both, silentLog)).toEqual({ done: 0, left: 0 });
    const { items } = await both.audit.list({ action: 'secrets.rotate' }, { limit: 9 });
    expect(items).toMatchObject([{ actor: 'gateway', outcome: 'success', after: { systems: 3, not_opened: 0 } }]);
    expect(JSON.stringify(items)).not.toContain('hunter2');
  });

  test('interrupted, leaves each secret whole, and the rest to the next start', async () => {
    for (const name of ['e', 'f', 'g']) await add(name, oldKey);
    const both = control(newKey, oldKey);
    let calls = 0;
    const whole = control(newKey, oldKey);
    const cut = vi.spyOn(both, 'transaction').mockImplementation((work) => {
      calls += 1;
      // The second one is rolled back by the end of the process.
      return whole.transaction(async (repositories) => {
        const done = await work(repositories);
        if (calls === 2) throw new Error('killed');
        return done;
      });
    });
    await expect(rotateSecrets(both, silentLog)).rejects.toThrow('killed');
    cut.mockRestore();
    expect(await password('e', newKey)).toBe('hunter2 of e');
    for (const name of ['f', 'g']) expect(await password(name, oldKey)).toBe(`hunter2 of ${name}`);
    expect(await rotateSecrets(both, silentLog)).toEqual({ done: 2, left: 0 });
    for (const name of ['e', 'f', 'g']) expect(await password(name, newKey)).toBe(`hunter2 of ${name}`);
  });

  test('leaves what neither key opens, tells it, and does the rest', async () => {
    const stranger = await add('h', other);
    await add('i', oldKey);
    const told: object[] = [];
    const log = { ...silentLog, error: (fields: object) => void told.push(fields) };
    const both = control(newKey, oldKey);
    expect(await rotateSecrets(both, log)).toEqual({ done: 1, left: 1 });
    expect(told).toEqual([{ systems: [stranger.id] }]);
    expect(await password('h', other)).toBe('hunter2 of h');
    // The next start has nothing to do, and says what is left; the trail is not filled with it.
    expect(await rotateSecrets(both, log)).toEqual({ done: 0, left: 1 });
    const { items } = await both.audit.list({ action: 'secrets.rotate', outcome: 'failure' }, { limit: 9 });
    expect(items).toMatchObject([{ after: { systems: 1, not_opened: 1 } }]);
  });

  test('by two gateways at once does each secret once', async () => {
    await control(other).systems.delete((await control(other).systems.get('h')).id);
    for (const name of ['j', 'k', 'l']) await add(name, oldKey);
    const results = await Promise.all([1, 2].map(() => rotateSecrets(control(newKey, oldKey), silentLog)));
    expect(results.reduce((sum, { done }) => sum + done, 0)).toBe(3);
    for (const name of ['j', 'k', 'l']) expect(await password(name, newKey)).toBe(`hunter2 of ${name}`);
  });
});
