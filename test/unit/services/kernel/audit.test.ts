import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { appendAudit, canonicalJson, storable, verifyAudit, type AuditEntry } from '#services/kernel/audit.ts';
import { withControlDatabase } from './control-database.ts';

const control = withControlDatabase();
const entry: AuditEntry = { actor: 'admin', action: 'sync_pair.pause', outcome: 'success' };

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
    expect(await verifyAudit(control.database)).toEqual({ ok: true, entries: 20 });
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
    expect(await verifyAudit(control.database)).toEqual({ ok: true, entries: 2 });
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
    expect(await verifyAudit(control.database)).toMatchObject({
      ok: false,
      entries: 3,
      brokenAt: ids[2],
      reason: expect.stringContaining('content') as string,
    });
    await tamper(`UPDATE terrafusion.audit_entries SET actor = 'admin' WHERE id = ${ids[2]!.toString()}`);
    expect(await verifyAudit(control.database)).toEqual({ ok: true, entries: 5 });
    await tamper(`UPDATE terrafusion.audit_entries SET after = '{"count": 9}' WHERE id = ${ids[4]!.toString()}`);
    expect(await verifyAudit(control.database)).toMatchObject({ ok: false, brokenAt: ids[4] });
    await tamper(`DELETE FROM terrafusion.audit_entries WHERE id = ${ids[1]!.toString()}`);
    expect(await verifyAudit(control.database)).toMatchObject({
      ok: false,
      brokenAt: ids[2],
      reason: expect.stringContaining('taken out') as string,
    });
  });

  test('walks chains longer than a page', async () => {
    await control.database.transaction(async (tx) => {
      for (let count = 0; count < 1003; count += 1) await appendAudit(tx, entry);
    });
    expect(await verifyAudit(control.database)).toEqual({ ok: true, entries: 1003 });
  });

  test('whatever was told is stored as it verifies', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.jsonValue({ stringUnit: 'binary' }),
        fc.anything(),
        async (text, json, anything) => {
          await append({ actor: text, action: text, entityId: text, before: json, after: plain(anything) });
          expect(await verifyAudit(control.database)).toMatchObject({ ok: true });
        },
      ),
      { numRuns: 60 },
    );
  });
});

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
