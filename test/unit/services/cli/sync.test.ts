import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { sync } from '#services/cli/commands/sync.ts';
import type { GatewayClient } from '#services/cli/gateway-client.ts';
import { runCli } from '#services/cli/main.ts';
import { operationView, type OperationView } from '#schemas/http/operations.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { RecordingTerminal } from './recording-terminal.ts';

const zero = { rows_copied: 0, inserted: 0, updated: 0, deleted: 0, dead_letters: 0 };
const base: OperationView = {
  id: 'op-1',
  pair: { id: 'p', name: 'owners' },
  type: 'full',
  state: 'pending',
  started_by: 'me',
  progress: {},
  counts: zero,
  error: null,
  created_at: '2026-01-31T08:15:30.000Z',
  started_at: null,
  finished_at: null,
};
const copying = (rows: number): OperationView => ({
  ...base,
  state: 'running',
  progress: { rows_total: 1000 },
  counts: { ...zero, rows_copied: rows },
});
const done: OperationView = {
  ...base,
  state: 'completed',
  counts: { ...zero, rows_copied: 1000, inserted: 2, dead_letters: 1 },
  started_at: '2026-01-31T08:15:31.000Z',
  finished_at: '2026-01-31T08:15:34.000Z',
};

/** A gateway that shows one state of the operation after the other. */
function stub(states: readonly OperationView[]) {
  const asked: unknown[] = [];
  let looks = 0;
  const next = <T>(schema: z.ZodType<T>) => Promise.resolve(schema.parse(states[Math.min(looks++, states.length - 1)]));
  const client = {
    send: (method: string, path: string, body: unknown, schema: z.ZodType) => {
      asked.push([method, path, body]);
      return next(schema);
    },
    get: (path: string, schema: z.ZodType) => {
      asked.push(['GET', path]);
      return next(schema);
    },
  } as unknown as GatewayClient;
  return { client, asked };
}

async function follow(states: readonly OperationView[], terminal: RecordingTerminal, asJson = false) {
  const clock = new ManualClock();
  const { client, asked } = stub(states);
  const running = sync(client, terminal, asJson, { type: 'full', pair: 'owners', wait: true }, clock);
  for (let look = 0; look < states.length; look++) await clock.elapse(500);
  return { code: await running, asked };
}

describe('terrafusion sync', () => {
  test('on a terminal: a bar with rows, rate and time left, and what was done at the end', async () => {
    const terminal = new RecordingTerminal({ isTty: true });
    const { code, asked } = await follow([base, copying(0), copying(250), done], terminal);
    expect(code).toBe(0);
    expect(asked).toEqual([
      ['POST', '/api/sync-operations', { pair_id: 'owners', type: 'full' }],
      ['GET', '/api/sync-operations/op-1'],
      ['GET', '/api/sync-operations/op-1'],
      ['GET', '/api/sync-operations/op-1'],
    ]);
    const lines = terminal.stdout.split('\r\u001b[2K').slice(1);
    expect(lines[0]).toBe('full pending  waits to begin');
    expect(lines[1]).toBe('full running  [........................] 0 %  0 of about 1,000 rows');
    // 250 rows in half a second, smoothed with the second before, in which there were none.
    expect(lines[2]).toBe('full running  [######..................] 25 %  250 of about 1,000 rows, 150/s, 5.0 s left');
    expect(lines[3]).toBe(
      'full completed in 3.0 s: 1,000 rows copied; 2 inserted, 0 updated, 0 deleted; 1 dead letters\n',
    );
  });

  test('a bar is never wider than the terminal', async () => {
    const terminal = new RecordingTerminal({ isTty: true, columns: 30 });
    await follow([copying(10), done], terminal);
    expect(terminal.stdout.split('\r\u001b[2K')[1]!.length).toBeLessThan(30);
  });

  test('elsewhere: a line for each state, and one now and then', async () => {
    const terminal = new RecordingTerminal();
    const states = [base, ...Array.from({ length: 12 }, (_, i) => copying(i * 10)), done];
    expect((await follow(states, terminal)).code).toBe(0);
    expect(terminal.stdout.split('\n').map((line) => line.slice(0, 40))).toEqual([
      'full pending: waits to begin',
      'full running: 0 of about 1,000 rows',
      expect.stringMatching(/^full running: 100 of about 1,000 rows/) as string,
      'full completed in 3.0 s: 1,000 rows copi',
      '',
    ]);
  });

  test('for scripts: JSON lines, each news once', async () => {
    const terminal = new RecordingTerminal();
    await follow([base, base, copying(5), done], terminal, true);
    const lines = terminal.stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { event: 'progress', operation: { state: 'pending' } },
      { event: 'progress', operation: { counts: { rows_copied: 5 } } },
      { event: 'ended', operation: { id: 'op-1', state: 'completed' } },
    ]);
  });

  test('what did not end well is told, with an exit code of its own', async () => {
    const error = { code: 'SOURCE_SLOT_MISSING', message: 'it is gone', fix: 'Resync.', since: base.created_at };
    for (const state of ['failed', 'stopped', 'cancelled'] as const) {
      const terminal = new RecordingTerminal();
      const { code } = await follow(
        [copying(5), { ...base, state, error: state === 'failed' ? error : null }],
        terminal,
      );
      expect(code, state).toBe(1);
      expect(terminal.stdout).toContain(`full ${state}`);
      expect(terminal.stdout.includes('SOURCE_SLOT_MISSING: it is gone\n  Resync.')).toBe(state === 'failed');
    }
  });

  test('begun without waiting, only its id is told', async () => {
    const terminal = new RecordingTerminal();
    const { client, asked } = stub([base]);
    expect(await sync(client, terminal, false, { type: 'incremental', pair: 'owners', wait: false })).toBe(0);
    expect(terminal.stdout).toBe('op-1\n');
    expect(asked).toHaveLength(1);
    expect(operationView.parse(base)).toEqual(base);
  });

  test('another type is wrong usage', async () => {
    const terminal = new RecordingTerminal();
    const before = process.exitCode;
    try {
      await runCli(['sync', 'partial', 'owners'], terminal);
      expect(process.exitCode).toBe(64);
    } finally {
      process.exitCode = before;
    }
    expect(terminal.stderr).toContain('full, incremental');
  });
});
