import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { parseLsn } from '#schemas/lsn.ts';
import { Secret } from '#schemas/secret.ts';
import { ADMIN_KEY_FILE, ensureAdminKey } from '#services/control/admin-key.ts';
import { hashRequest } from '#services/control/idempotency.ts';
import { makePair, missingId, withControl } from './fixture.ts';

const fixture = withControl();

describe('dead letters', () => {
  const letter = (position: string, more: Partial<DeadLetter> = {}): DeadLetter => ({
    position,
    stage: 'process',
    source_table: { schema: 'pacs', name: 'property' },
    target_table: { schema: 'cama', name: 'parcel' },
    op: 'insert',
    rule: 'pin present',
    code: 'PAIR_ROW_INVALID',
    reason: 'no pin',
    row: { prop_id: '1', geo_id: null },
    before: undefined,
    ...more,
  });

  test('stored again are the same ones (Promise 2)', async () => {
    const { deadLetters, pairs } = fixture.control;
    const { id } = await makePair(fixture.control);
    const both = [letter('1:0/10:1'), letter('1:0/10:2', { before: { prop_id: '1' }, rule: undefined })];
    expect(await deadLetters.store(id, both)).toBe(2);
    expect(await deadLetters.store(id, [...both, letter('1:0/10:2', { stage: 'apply' })])).toBe(1);
    const { items } = await deadLetters.list({ pairId: id }, { limit: 9 });
    expect(items).toHaveLength(3);
    expect(items.at(-1)).toMatchObject({ ...both[0]!, state: 'open', resolvedAt: undefined, pair: { id } });
    expect(items[1]).toMatchObject({ before: { prop_id: '1' }, rule: undefined });
    expect((await pairs.get(id)).deadLetters).toBe(3);
    expect(await deadLetters.store(id, [])).toBe(0);
  });

  test('hold rows that jsonb would not take, too (CHECKLIST 40)', async () => {
    const { deadLetters } = fixture.control;
    const { id } = await makePair(fixture.control);
    await deadLetters.store(id, [letter('1:0/10:1', { row: { a: 'x\0y', b: '\ud800' } })]);
    const { items } = await deadLetters.list({ pairId: id }, { limit: 1 });
    expect(items[0]!.row).toEqual({ a: 'x\uFFFDy', b: '\uFFFD' });
  });

  test('are resolved once', async () => {
    const { deadLetters } = fixture.control;
    const { id } = await makePair(fixture.control);
    await deadLetters.store(id, [letter('1:0/10:1')]);
    const [kept] = (
      await deadLetters.list(
        { pairId: id, state: 'open', table: 'cama.parcel', code: 'PAIR_ROW_INVALID' },
        { limit: 1 },
      )
    ).items;
    expect(await deadLetters.resolve(kept!.id, 'discarded', 'me')).toMatchObject({
      state: 'discarded',
      resolvedBy: 'me',
    });
    await expect(deadLetters.resolve(kept!.id, 'replayed', 'me')).rejects.toMatchObject({ code: 'CONFLICTING_STATE' });
    expect((await deadLetters.list({ pairId: id, state: 'open' }, { limit: 1 })).items).toHaveLength(0);
    expect((await deadLetters.list({ pairId: id, table: 'no table' }, { limit: 1 })).items).toHaveLength(0);
    for (const none of ['nonsense', '0', '999999999']) {
      await expect(deadLetters.get(none)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(deadLetters.resolve(none, 'replayed', 'me')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  test('new dead letters, which raise an alert, are those of streams: what a load refuses its operation tells', async () => {
    const { deadLetters } = fixture.control;
    const { id, name } = await makePair(fixture.control);
    await deadLetters.store(id, [letter('0:0/1:1'), letter('0:0/1:2')]);
    const newOf = async () => (await deadLetters.newByPair(15)).find(({ pair }) => pair === name)?.count;
    expect(await newOf()).toBeUndefined();
    await deadLetters.store(id, [letter('10:0/1:1')]);
    expect(await newOf()).toBe(1);
    expect((await deadLetters.openByPair()).find(({ pair }) => pair === name)?.open).toBe(3);
  });
});

describe('source generations and status', () => {
  const stream = (slot: string) => ({
    slot,
    publication: 'p',
    systemIdentifier: '7123456789012345678',
    timeline: 1,
    consistentPoint: parseLsn('16/B374D848'),
  });

  test('the latest generation counts', async () => {
    const { generations } = fixture.control;
    const { sourceId } = await makePair(fixture.control);
    expect(await generations.latest(sourceId)).toBeUndefined();
    await generations.record(sourceId, { generation: 1, stream: stream('one') });
    await generations.record(sourceId, { generation: 2, stream: stream('two') });
    await generations.record(sourceId, { generation: 2, stream: stream('two again') });
    expect(await generations.latest(sourceId)).toEqual({ generation: 2, stream: stream('two again') });
    expect(await generations.list(sourceId)).toHaveLength(2);
    await generations.forget(sourceId);
    expect(await generations.latest(sourceId)).toBeUndefined();
  });

  test('the latest word of a reader counts; of an unknown source none is kept', async () => {
    const { sourceStatuses } = fixture.control;
    const { sourceId } = await makePair(fixture.control);
    await sourceStatuses.record(sourceId, { state: 'connecting' });
    await sourceStatuses.record(sourceId, { state: 'reading', generation: 1 });
    expect(await sourceStatuses.of(sourceId)).toMatchObject({ state: 'reading', generation: 1 });
    await sourceStatuses.record(missingId, { state: 'reading' });
    expect(await sourceStatuses.of(missingId)).toBeUndefined();
  });
});

describe('components', () => {
  test('beat, are missed, and leave', async () => {
    const { components, database } = fixture.control;
    const beat = {
      name: 'sync-service',
      instance: 'host:1',
      version: '1',
      startedAt: new Date(0),
      status: { pairs: 1 },
    };
    await components.beat(beat);
    await components.beat({ ...beat, status: { pairs: 2 } });
    expect(await components.list()).toMatchObject([{ ...beat, status: { pairs: 2 }, fresh: true }]);
    await database.run("UPDATE terrafusion.components SET heartbeat_at = heartbeat_at - interval '1 minute'");
    expect(await components.list()).toMatchObject([{ fresh: false }]);
    await components.leave('sync-service', 'host:1');
    expect(await components.list()).toEqual([]);
  });
});

describe('idempotency keys', () => {
  const request = (body: unknown, key = 'k1') => ({ actor: 'a', key, hash: hashRequest('POST', '/api/systems', body) });

  test('answer the same request again, and refuse another one', async () => {
    const { control } = fixture;
    await control.transaction(async ({ idempotency }) => {
      expect(await idempotency.begin(request(1))).toEqual({ kind: 'new' });
      await idempotency.answer(request(1), { status: 201, body: { id: 'x' } });
    });
    const { idempotency } = control;
    expect(await idempotency.look(request(1))).toEqual({ kind: 'answered', reply: { status: 201, body: { id: 'x' } } });
    expect(await idempotency.begin(request(1))).toEqual({
      kind: 'answered',
      reply: { status: 201, body: { id: 'x' } },
    });
    expect(await idempotency.begin(request(2))).toEqual({ kind: 'other' });
    expect(await idempotency.look({ ...request(1), actor: 'b' })).toBeUndefined();
    await control.database.run("UPDATE terrafusion.idempotency_keys SET expires_at = '2000-01-01'");
    expect(await idempotency.begin(request(2))).toEqual({ kind: 'new' });
    expect(await idempotency.purge()).toBe(0);
  });

  test('are free again when the work was rolled back, also for one who waited', async () => {
    const { control } = fixture;
    const gate = Promise.withResolvers<undefined>();
    const first = control.transaction(async ({ idempotency }) => {
      await idempotency.begin(request(1, 'k2'));
      gate.resolve(undefined);
      throw new Error('the work failed');
    });
    await gate.promise;
    const second = control.transaction(({ idempotency }) => idempotency.begin(request(1, 'k2')));
    await expect(first).rejects.toThrow('the work failed');
    expect(await second).toEqual({ kind: 'new' });
  });
});

describe('the audit trail', () => {
  test('is written with the change or not at all, and found by filters', async () => {
    const { control } = fixture;
    const entry = { actor: 'me', action: 'thing.change', entityKind: 'thing', outcome: 'success' } as const;
    await control.audit.append({ ...entry, entityId: '1', after: { password: 'hunter2' } });
    await expect(
      control.transaction(async ({ audit }) => {
        await audit.append({ ...entry, entityId: '2' });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await control.transaction(({ audit }) =>
      audit.append({ ...entry, entityId: '3', outcome: 'failure', requestId: 'r-3' }),
    );
    const found = async (filter: object) =>
      (await control.audit.list({ entityKind: 'thing', ...filter }, { limit: 9 })).items.map(
        ({ entityId }) => entityId,
      );
    expect(await found({})).toEqual(['3', '1']);
    expect(await found({ outcome: 'failure' })).toEqual(['3']);
    expect(await found({ text: 'R-3' })).toEqual(['3']);
    expect(await found({ text: 'hunter2' })).toEqual([]);
    expect(await found({ until: '2000-01-01T00:00:00Z' })).toEqual([]);
    const page = await control.audit.list({ entityKind: 'thing' }, { limit: 1 });
    expect(
      (await control.audit.list({ entityKind: 'thing' }, { limit: 1, cursor: page.nextCursor })).items,
    ).toMatchObject([{ entityId: '1', after: { password: '[secret]' } }]);
    expect(await control.audit.verify()).toMatchObject({ ok: true });
    await expect(control.transaction(({ audit }) => audit.verify())).rejects.toThrow(TypeError);
  });
});

describe('API keys', () => {
  test('open until they are revoked or expired', async () => {
    const { apiKeys, database } = fixture.control;
    const { record, key } = await apiKeys.create({ name: 'report', role: 'viewer', createdBy: 'me' });
    expect(await apiKeys.verify(key.reveal())).toEqual({ id: record.id, name: 'report', role: 'viewer' });
    expect((await apiKeys.get(record.id)).lastUsedAt).toBeInstanceOf(Date);
    const wrong = key.reveal().slice(0, -1) + (key.reveal().endsWith('a') ? 'b' : 'a');
    for (const bad of [wrong, '', 'nonsense', `tfk_unknown_${'x'.repeat(43)}`]) {
      expect(await apiKeys.verify(bad)).toBeUndefined();
    }
    const stored = await database.query<{ text: string }>('SELECT k::text AS text FROM terrafusion.api_keys k');
    expect(JSON.stringify(stored)).not.toContain(key.reveal().split('_')[2]);
    expect(await apiKeys.revoke(record.id)).toMatchObject({ revokedAt: expect.any(Date) as Date });
    expect(await apiKeys.verify(key.reveal())).toBeUndefined();
    await expect(apiKeys.revoke(record.id)).rejects.toMatchObject({ code: 'CONFLICTING_STATE' });
    await expect(apiKeys.revoke('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const expired = await apiKeys.create({ name: 'old', role: 'viewer', expiresAt: '2000-01-01T00:00:00Z' });
    expect(await apiKeys.verify(expired.key.reveal())).toBeUndefined();
  });
});

describe('the first administrator key', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'terrafusion-admin-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    await rm(join(folder, ADMIN_KEY_FILE), { force: true });
    await fixture.control.database.run('DELETE FROM terrafusion.api_keys');
  });
  const ensure = (given?: string) =>
    ensureAdminKey(fixture.control, given === undefined ? undefined : new Secret(given), folder);

  test('is made once, for its owner to read only, also by two at once', async () => {
    const [a, b] = await Promise.all([ensure(), ensure()]);
    expect(a.key!.reveal()).toBe(b.key!.reveal());
    const file = join(folder, ADMIN_KEY_FILE);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file, 'utf8')).trim()).toBe(a.key!.reveal());
    expect(await fixture.control.apiKeys.verify(a.key!.reveal())).toMatchObject({ role: 'admin' });
    const again = await ensure();
    expect(again).toMatchObject({ origin: 'kept', file });
    expect(again.key!.reveal()).toBe(a.key!.reveal());
  });

  test('of a lost control database is taken over; beside other administrators none is made', async () => {
    const { key } = await ensure();
    await fixture.control.database.run('DELETE FROM terrafusion.api_keys');
    expect((await ensure()).key!.reveal()).toBe(key!.reveal());
    await fixture.control.apiKeys.create({ name: 'other', role: 'admin' });
    await rm(join(folder, ADMIN_KEY_FILE));
    expect(await ensure()).toEqual({ origin: 'kept', key: undefined, file: undefined });
  });

  test('that was revoked does not come back; a broken file is told', async () => {
    const { key } = await ensure();
    await fixture.control.apiKeys.revoke(key!.reveal().split('_')[1]!);
    await expect(ensure()).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
    await writeFile(join(folder, ADMIN_KEY_FILE), 'nonsense');
    await expect(ensure()).rejects.toThrow('does not hold an API key');
  });

  test('that is given counts, and its secret can be changed there; revoked it stays', async () => {
    const one = `tfk_ops_${'a'.repeat(32)}`;
    const two = `tfk_ops_${'b'.repeat(32)}`;
    expect(await ensure(one)).toMatchObject({ origin: 'given' });
    expect(await fixture.control.apiKeys.verify(one)).toMatchObject({ role: 'admin' });
    await ensure(two);
    expect(await fixture.control.apiKeys.verify(one)).toBeUndefined();
    expect(await fixture.control.apiKeys.verify(two)).toMatchObject({ role: 'admin' });
    await fixture.control.apiKeys.revoke('ops');
    await ensure(two);
    expect(await fixture.control.apiKeys.verify(two)).toBeUndefined();
  });
});
