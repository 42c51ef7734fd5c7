import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '#schemas/secret.ts';
import { appendAudit, canonicalJson, storable, type AuditEntry } from '#services/kernel/audit.ts';
import { CHECKPOINT, pruneAudit } from '#services/kernel/audit-checkpoint.ts';
import { verifyAudit, type AuditMark, type AuditVerdict } from '#services/kernel/audit-verify.ts';
import type { Database } from '#services/kernel/database/index.ts';
import { SecretBox } from '#services/kernel/secrets.ts';
import { withControlDatabase } from './control-database.ts';

const control = withControlDatabase();
const entry: AuditEntry = { actor: 'admin', action: 'sync_pair.pause', outcome: 'success' };

const signer = new SecretBox(new Secret('a master key for tests'));
const verify = (known?: AuditMark): Promise<AuditVerdict> => verifyAudit(control.database, signer, known);

async function append(more: Partial<AuditEntry> = {}): Promise<bigint> {
  return await control.database.transaction((tx) => appendAudit(tx, { ...entry, ...more }));
}

/** What nobody but a superuser who means it can do. */
async function tamper(sql: string): Promise<void> {
  await control.database.transaction(async (tx) => {
    await tx.run('ALTER TABLE terrafusion.audit_entries DISABLE TRIGGER USER');
    await tx.run(sql);
    await tx.run('ALTER TABLE terrafusion.audit_entries ENABLE TRIGGER USER');
  });
}

beforeEach(async () => {
  await tamper('TRUNCATE terrafusion.audit_entries');
});

describe('the audit trail', () => {
  test('is one chain, however many append at once, with what was given and no secret in it', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        append({
          entityKind: 'system',
          entityId: String(index),
          requestId: 'r',
          before: { connection: { password: 'hunter2' } },
          after: { connection: { url: 'postgresql://a:hunter2@h/d' }, lsn: 5n, index },
        }),
      ),
    );
    expect(new Set(ids).size).toBe(20);
    expect(await verify()).toMatchObject({ ok: true, entries: 20 });
    const rows = await control.database.query<{ text: string; at: Date }>(
      'SELECT e::text AS text, at FROM terrafusion.audit_entries AS e ORDER BY id',
    );
    expect(JSON.stringify(rows)).not.toContain('hunter2');
    expect(rows.map(({ at }) => at.getTime())).toEqual(rows.map(({ at }) => at.getTime()).sort((a, b) => a - b));
  });

  test('holds no entry of a transaction that was rolled back, and the chain goes on', async () => {
    await append();
    await expect(
      control.database.transaction(async (tx) => {
        await appendAudit(tx, entry);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await append();
    expect(await verify()).toMatchObject({ ok: true, entries: 2 });
  });

  test('refuses changes', async () => {
    await append();
    for (const sql of [
      `UPDATE terrafusion.audit_entries SET actor = 'nobody'`,
      'DELETE FROM terrafusion.audit_entries',
      'TRUNCATE terrafusion.audit_entries',
    ]) {
      await expect(control.database.run(sql), sql).rejects.toThrow(/entries are only ever added/);
    }
  });

  test('names the first entry that does not hold', async () => {
    const ids = [];
    for (let count = 0; count < 5; count += 1) ids.push(await append({ after: { count } }));
    await tamper(`UPDATE terrafusion.audit_entries SET actor = 'nobody' WHERE id = ${ids[2]!.toString()}`);
    expect(await verify()).toMatchObject({
      ok: false,
      entries: 3,
      brokenAt: ids[2],
      reason: expect.stringContaining('content') as string,
    });
    await tamper(`UPDATE terrafusion.audit_entries SET actor = 'admin' WHERE id = ${ids[2]!.toString()}`);
    expect(await verify()).toMatchObject({ ok: true, entries: 5 });
    await tamper(`UPDATE terrafusion.audit_entries SET after = '{"count": 9}' WHERE id = ${ids[4]!.toString()}`);
    expect(await verify()).toMatchObject({ ok: false, brokenAt: ids[4] });
    await tamper(`DELETE FROM terrafusion.audit_entries WHERE id = ${ids[1]!.toString()}`);
    expect(await verify()).toMatchObject({
      ok: false,
      brokenAt: ids[2],
      reason: expect.stringContaining('taken out') as string,
    });
  });

  test('names entries that were put in, or in another order', async () => {
    const ids = [];
    for (let count = 0; count < 4; count += 1) ids.push(await append({ after: { count } }));
    const [first, second, third] = ids as [bigint, bigint, bigint];
    // Two entries change places, with all that they say, hashes included.
    const swapped = (a: bigint, b: bigint) =>
      tamper(`UPDATE terrafusion.audit_entries SET id = -1 WHERE id = ${a};
        UPDATE terrafusion.audit_entries SET id = ${a} WHERE id = ${b};
        UPDATE terrafusion.audit_entries SET id = ${b} WHERE id = -1`);
    await swapped(second, third);
    expect(await verify()).toMatchObject({ ok: false, brokenAt: second });
    await swapped(second, third);
    expect(await verify()).toMatchObject({ ok: true, entries: 4 });
    // One that was made up, between two others.
    await tamper(`UPDATE terrafusion.audit_entries SET id = id + 1000 WHERE id > ${first};
      INSERT INTO terrafusion.audit_entries (id, at, actor, action, outcome, previous_hash, hash)
      SELECT id + 500, at, 'nobody', action, outcome, sha256('a'), sha256('b') FROM terrafusion.audit_entries WHERE id = ${first}`);
    expect(await verify()).toMatchObject({
      ok: false,
      entries: 2,
      brokenAt: first + 500n,
      reason: expect.stringContaining('put in') as string,
    });
    await control.database.run(`SELECT setval('terrafusion.audit_entries_id_seq', ${first + 5000n})`);
  });

  test('shows with a mark that was kept elsewhere that it was cut off, or made anew', async () => {
    await append();
    await append();
    const { head } = await verify();
    await append();
    expect(await verify(head)).toMatchObject({ ok: true, entries: 3 });
    await tamper(`DELETE FROM terrafusion.audit_entries WHERE id >= ${head!.id}`);
    // A chain that ends earlier is a chain.
    expect(await verify()).toMatchObject({ ok: true, entries: 1 });
    expect(await verify(head)).toMatchObject({
      ok: false,
      brokenAt: head!.id,
      reason: expect.stringContaining('not there any more') as string,
    });
    await tamper('TRUNCATE terrafusion.audit_entries');
    await control.database.run(`SELECT setval('terrafusion.audit_entries_id_seq', ${head!.id - 1n})`);
    await append({ actor: 'somebody else' });
    expect(await verify()).toMatchObject({ ok: true });
    expect(await verify(head)).toMatchObject({
      ok: false,
      brokenAt: head!.id,
      reason: expect.stringContaining('noted elsewhere') as string,
    });
  });

  test('is read in pieces, however large its entries are (Promise 6)', async () => {
    // Random, so that nothing of it can be compressed away.
    const large = () => Array.from({ length: 6000 }, () => Math.random().toString(36)).join(' ');
    await control.database.transaction(async (tx) => {
      for (let count = 0; count < 60; count += 1) await appendAudit(tx, { ...entry, after: large() });
    });
    const pages: number[] = [];
    const watched: Pick<Database, 'query' | 'one'> = {
      query: async (sql, values) => {
        const rows = await control.database.query<never>(sql, values);
        pages.push(JSON.stringify(rows, (_, part: unknown) => (typeof part === 'bigint' ? '' : part)).length);
        return rows;
      },
      one: (sql, values) => control.database.one(sql, values),
    };
    expect(await verifyAudit(watched as Database, signer)).toMatchObject({ ok: true, entries: 60 });
    expect(pages.length).toBeGreaterThan(3);
    expect(Math.max(...pages)).toBeLessThan(2 * 1024 * 1024);
  });

  test('walks chains longer than a page', async () => {
    await control.database.transaction(async (tx) => {
      for (let count = 0; count < 1003; count += 1) await appendAudit(tx, entry);
    });
    expect(await verify()).toMatchObject({ ok: true, entries: 1003 });
  });

  test('whatever was told is stored as it verifies', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.jsonValue({ stringUnit: 'binary' }),
        fc.anything(),
        async (text, json, anything) => {
          await append({ actor: text, action: text, entityId: text, before: json, after: plain(anything) });
          expect(await verify()).toMatchObject({ ok: true });
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('retention', () => {
  const prune = (keepDays: number) => pruneAudit(control.database, signer, { keepDays, actor: 'gateway' });
  const remaining = async () =>
    (await control.database.query<{ action: string }>('SELECT action FROM terrafusion.audit_entries ORDER BY id')).map(
      ({ action }) => action,
    );

  test('removes what is older, says so in the chain, and what is left verifies', async () => {
    const ids: bigint[] = [];
    for (let count = 0; count < 5; count += 1) ids.push(await append({ action: `entry.${count}` }));
    expect(await prune(1)).toEqual({ checkpoint: undefined, removed: 0 });
    // Everything but the newest is older than no days at all.
    expect(await prune(0)).toMatchObject({ removed: 4 });
    expect(await remaining()).toEqual(['entry.4', CHECKPOINT]);
    expect(await verify()).toMatchObject({
      ok: true,
      entries: 2,
      checkpoint: { through: ids[3], removed: 4, signature: 'good' },
    });
    await append({ action: 'entry.5' });
    expect(await prune(0)).toMatchObject({ removed: 2 });
    expect(await remaining()).toEqual(['entry.5', CHECKPOINT]);
    expect(await verify()).toMatchObject({ ok: true, entries: 2, checkpoint: { removed: 6 } });
    // A mark of an entry that may be gone says nothing any more.
    expect(await verify({ id: ids[0]!, hash: Buffer.alloc(32) })).toMatchObject({ ok: true });
  });

  test('leaves an alteration of what is left as visible as before', async () => {
    const ids: bigint[] = [];
    for (let count = 0; count < 4; count += 1) ids.push(await append());
    await prune(0);
    const later = [await append(), await append()];
    await tamper(`DELETE FROM terrafusion.audit_entries WHERE id = ${ids[3]!}`);
    expect(await verify()).toMatchObject({ ok: false });
    expect((await verify()).brokenAt).toBeGreaterThan(ids[3]!);
    await tamper(`UPDATE terrafusion.audit_entries SET actor = 'nobody' WHERE id = ${later[1]!}`);
    expect(await verify()).toMatchObject({ ok: false });
  });

  test('a deletion is refused without a checkpoint that covers it, to superusers too', async () => {
    const first = await append();
    await append();
    const remove = (id: bigint) => control.database.run('DELETE FROM terrafusion.audit_entries WHERE id = $1', [id]);
    await expect(remove(first)).rejects.toThrow(/entries are only ever added/);
    await prune(0);
    const last = await append();
    await expect(remove(last)).rejects.toThrow(/entries are only ever added/);
    await expect(control.database.run('UPDATE terrafusion.audit_entries SET actor = NULL')).rejects.toThrow(
      /only ever/,
    );
  });

  test('a checkpoint that somebody else has made is found out', async () => {
    const ids = [await append(), await append(), await append()];
    const hash = (await verify()).head!.hash;
    // All that somebody can do who has the database and not the master key: a well-formed entry at the chain's end.
    const content = { through: ids[2]!.toString(), through_hash: hash.toString('hex'), through_at: 'x', removed: 3 };
    await append({ action: CHECKPOINT, after: { ...content, signature: 'v1.AAAAAAAA.AAAA' } });
    await append();
    await control.database.run('DELETE FROM terrafusion.audit_entries WHERE id <= $1', [ids[2]]);
    expect(await verify()).toMatchObject({ ok: false, reason: expect.stringContaining('master key') as string });
    const ours = signer.sign('another text');
    await append({ action: CHECKPOINT, after: { ...content, signature: ours } });
    expect(await verify()).toMatchObject({ ok: false, reason: expect.stringContaining('not signed') as string });
    await append({ action: CHECKPOINT, after: { through: 'x' } });
    expect(await verify()).toMatchObject({ ok: false, reason: expect.stringContaining('not signed') as string });
  });

  test('killed between checkpoint and deletion, it verifies and the next one goes on', async () => {
    for (let count = 0; count < 4; count += 1) await append();
    const dying: Database = {
      ...bind(control.database),
      run: () => Promise.reject(new Error('killed')),
    };
    await expect(pruneAudit(dying, signer, { keepDays: 0, actor: 'gateway' })).rejects.toThrow('killed');
    // The newest entry and the checkpoint; the others count as gone.
    expect(await verify()).toMatchObject({ ok: true, entries: 2, checkpoint: { removed: 3 } });
    expect((await remaining()).length).toBe(5);
    expect(await prune(1)).toEqual({ checkpoint: undefined, removed: 3 });
    expect(await verify()).toMatchObject({ ok: true, entries: 2 });
  });
});

function bind(database: Database): Database {
  return {
    query: (sql, values) => database.query(sql, values),
    one: (sql, values) => database.one(sql, values),
    run: (sql, values) => database.run(sql, values),
    transaction: (work, options) => database.transaction(work, options),
    session: (work) => database.session(work),
    listen: (channel, listener) => database.listen(channel, listener),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Nothing instead of what JSON refuses to write (a throwing getter, say). */
function plain(value: unknown): unknown {
  try {
    JSON.stringify(value);
    return value;
  } catch {
    return undefined;
  }
}

test('canonical JSON is the same for equal data', () => {
  expect(canonicalJson({ b: 1, a: [{ d: null, c: 'x' }] })).toBe('{"a":[{"c":"x","d":null}],"b":1}');
  expect(canonicalJson({ a: 1, b: 2 })).toBe(canonicalJson({ b: 2, a: 1 }));
  expect(storable({ 'a\0': '\ud800', u: undefined })).toEqual({ 'a\u{fffd}': '\u{fffd}' });
});
