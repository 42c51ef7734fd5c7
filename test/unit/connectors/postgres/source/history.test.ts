import { expect, test } from 'vitest';
import type pg from 'pg';
import type { StreamIdentity } from '#connectors/contract/source.ts';
import { checkHistory, forkOf, slotMissing } from '#connectors/postgres/source/history.ts';
import { LAST_ORDINAL, type Position } from '#schemas/position.ts';

const stream: StreamIdentity = {
  slot: 'tf_1',
  publication: 'tf',
  systemIdentifier: '42',
  timeline: 2,
  consistentPoint: 0x50n,
};
const history =
  '1\t0/1000000\tno recovery target specified\n\n2\t0/3000000\tno recovery target specified\n3\t1/0\tbefore 2026-01-01\n';

/** A server on that timeline, with that history. */
function session(timeline: number, content: unknown = history, systemid = '42'): pg.Client {
  const query = (text: string) => {
    if (text === 'IDENTIFY_SYSTEM') return Promise.resolve({ rows: [{ systemid, timeline }] });
    expect(text).toBe(`TIMELINE_HISTORY ${timeline}`);
    return Promise.resolve({ rows: [{ filename: `0000000${timeline}.history`, content }] });
  };
  return { query } as unknown as pg.Client;
}
const at = (commitLsn: bigint, ordinal = LAST_ORDINAL): Position => ({ generation: 1, commitLsn, ordinal });

test('the fork of a timeline is where the history left it', () => {
  expect(forkOf(history, 1)).toBe(0x1000000n);
  expect(forkOf(history, 2)).toBe(0x3000000n);
  expect(forkOf(history, 3)).toBe(0x100000000n);
  expect(forkOf(history, 4)).toBeUndefined();
  expect(forkOf('', 1)).toBeUndefined();
});

test('CHECKLIST 12: what was committed before the fork is the same on both lines, what was after is not', async () => {
  const on4 = (held: Position | undefined, content?: unknown) => checkHistory(session(4, content), stream, held);
  for (const held of [undefined, at(0x2ffffffn), at(0x10n, 3), at(0x3000000n, -1)])
    await expect(on4(held)).resolves.toEqual({ systemIdentifier: '42', timeline: 4 });
  // Servers before 15 call it bytea.
  await expect(on4(at(1n), Buffer.from(history))).resolves.toMatchObject({ timeline: 4 });
  for (const held of [at(0x3000000n), at(0x3000000n, 0), at(0x3000001n, -1), at(1n << 40n)])
    await expect(on4(held)).rejects.toMatchObject({ code: 'SOURCE_HISTORY_LOST', details: { left: '0/3000000' } });
});

test('the same timeline needs no look at its history, another branch is none of ours', async () => {
  const same = checkHistory(session(2, 'not asked for'), stream, at(1n << 60n));
  await expect(same).resolves.toMatchObject({ timeline: 2 });
  const other = checkHistory(session(4, '1\t0/1000000\tbranched off before 2\n'), stream, at(1n));
  await expect(other).rejects.toMatchObject({ code: 'SOURCE_HISTORY_LOST' });
  // Back on the first one: a backup from before the failover.
  await expect(checkHistory(session(1), stream, at(1n))).rejects.toMatchObject({ code: 'SOURCE_HISTORY_LOST' });
});

test('another server is another server, with or without a slot of the name', async () => {
  await expect(checkHistory(session(2, history, '43'), stream, undefined)).rejects.toMatchObject({
    code: 'SOURCE_IDENTITY_CHANGED',
  });
  expect(slotMissing(stream, { systemIdentifier: '43', timeline: 2 }).code).toBe('SOURCE_IDENTITY_CHANGED');
  expect(slotMissing(stream, { systemIdentifier: '42', timeline: 3 }).message).toContain(
    'timeline 3, the stream was read on 2',
  );
  expect(slotMissing(stream, { systemIdentifier: '42', timeline: 2 }).message).toBe(
    'Slot tf_1 does not exist at the source',
  );
});
