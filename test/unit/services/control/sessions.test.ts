import { describe, expect, test } from 'vitest';
import { withControl } from './fixture.ts';

const fixture = withControl();
const life = { idleS: 600, longestS: 3600 };
const makeKey = async () => (await fixture.control.apiKeys.create({ name: 'browser', role: 'operator' })).record;
const shift = (id: string, by: string) =>
  fixture.control.database.run(
    `UPDATE terrafusion.sessions SET last_seen_at = last_seen_at - $2::interval, ends_at = ends_at - $2::interval WHERE id = $1`,
    [id, by],
  );

describe('sessions', () => {
  test('are found by what opens them, of which only a hash is stored (Promise 8)', async () => {
    const { sessions, database } = fixture.control;
    const key = await makeKey();
    const { session, token } = await sessions.begin(key.id, life);
    const text = token.reveal();
    expect(await sessions.verify(text)).toEqual({
      session,
      holder: { id: key.id, name: 'browser', role: 'operator' },
    });
    for (const wrong of ['', 'x', session.id, `${text}x`, text.slice(0, -1)])
      expect(await sessions.verify(wrong)).toBeUndefined();
    const stored = await database.query('SELECT s::text AS text FROM terrafusion.sessions s');
    expect(JSON.stringify(stored)).not.toContain(text);
  });

  test('slide while they are used, end when they are left alone, and in any case at their longest', async () => {
    const { sessions } = fixture.control;
    const key = await makeKey();
    const begin = async () => {
      const { session, token } = await sessions.begin(key.id, life);
      return { id: session.id, first: session, find: () => sessions.verify(token.reveal()) };
    };
    const used = await begin();
    await shift(used.id, '9 minutes');
    const slid = (await used.find())!.session;
    expect(slid.expiresAt.getTime()).toBeGreaterThan(used.first.expiresAt.getTime() - 5000);
    expect(slid.endsAt.getTime()).toBe(used.first.endsAt.getTime() - 9 * 60_000);
    await shift(used.id, '9 minutes');
    expect(await used.find()).toBeDefined();
    const alone = await begin();
    await shift(alone.id, '11 minutes');
    expect(await alone.find()).toBeUndefined();
    const long = await begin();
    await shift(long.id, '55 minutes');
    await fixture.control.database.run(
      'UPDATE terrafusion.sessions SET last_seen_at = clock_timestamp() WHERE id = $1',
      [long.id],
    );
    // Never beyond its end.
    const last = (await long.find())!.session;
    expect(last.expiresAt).toEqual(last.endsAt);
    await fixture.control.database.run('UPDATE terrafusion.sessions SET ends_at = clock_timestamp() WHERE id = $1', [
      long.id,
    ]);
    expect(await long.find()).toBeUndefined();
    expect(await sessions.purge()).toBe(2);
    expect(await used.find()).toBeDefined();
  });

  test('of one key are not without number: the one that was used least lately goes', async () => {
    const { sessions, database } = fixture.control;
    const key = await makeKey();
    const first = await sessions.begin(key.id, life);
    for (let index = 0; index < 50; index += 1) await sessions.begin(key.id, life);
    const rows = await database.query('SELECT FROM terrafusion.sessions WHERE key_id = $1', [key.id]);
    expect(rows).toHaveLength(50);
    expect(await sessions.verify(first.token.reveal())).toBeUndefined();
  });

  test('end alone, by what opens them, or all of a key', async () => {
    const { sessions } = fixture.control;
    const key = await makeKey();
    const [a, b, c, d] = [
      await sessions.begin(key.id, life),
      await sessions.begin(key.id, life),
      await sessions.begin(key.id, life),
      await sessions.begin((await makeKey()).id, life),
    ];
    await sessions.end(a.session.id);
    expect(await sessions.verify(a.token.reveal())).toBeUndefined();
    await sessions.endOfKey(key.id, c.session.id);
    expect(await sessions.verify(b.token.reveal())).toBeUndefined();
    expect(await sessions.verify(c.token.reveal())).toBeDefined();
    await sessions.endByToken(c.token.reveal());
    expect(await sessions.verify(c.token.reveal())).toBeUndefined();
    expect(await sessions.verify(d.token.reveal())).toBeDefined();
  });
});
