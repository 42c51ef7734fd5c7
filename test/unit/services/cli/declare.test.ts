import { describe, expect, test } from 'vitest';
import { moment } from '#services/cli/declare/common.ts';
import { exitCodeOf, exitCodes, exitCodeTable } from '#services/cli/exit-codes.ts';
import { createProgram } from '#services/cli/program.ts';
import { confirmed, confirmedByName, UsageError } from '#services/cli/usage.ts';
import { errorKinds, TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import { terrafusion } from '#test/support/cli.ts';
import { RecordingTerminal } from './recording-terminal.ts';

describe('exit codes', () => {
  test('are all in the one table, each once', () => {
    expect(exitCodeTable.map(([code]) => code)).toEqual(Object.values(exitCodes).toSorted((a, b) => a - b));
    expect(new Set(exitCodeTable.map(([code]) => code)).size).toBe(exitCodeTable.length);
  });

  test('every error has one, and only what scripts tell apart has its own', () => {
    const codes = (code: number) =>
      (Object.keys(errorKinds) as ErrorCode[]).filter((each) => exitCodeOf(new TerraFusionError(each, 'x')) === code);
    expect(codes(exitCodes.NOT_REACHABLE)).toEqual([
      'SERVICE_UNAVAILABLE',
      'GATEWAY_UNREACHABLE',
      'CONTROL_DATABASE_UNREACHABLE',
    ]);
    expect(codes(exitCodes.NOT_ALLOWED)).toEqual(['UNAUTHENTICATED', 'FORBIDDEN']);
    expect(codes(exitCodes.TIMED_OUT)).toEqual(['FENCE_TIMEOUT', 'OPERATION_TIMEOUT']);
    // A defect of the gateway is no defect of this program.
    expect(exitCodeOf(new TerraFusionError('INTERNAL', 'x', { details: { request_id: 'r' } }))).toBe(exitCodes.FAILED);
    expect(exitCodeOf(new TerraFusionError('INTERNAL', 'x'))).toBe(exitCodes.DEFECT);
  });
});

describe('times', () => {
  const now = Date.parse('2026-01-31T08:15:30.000Z');
  test('are moments, days, or how long ago', () => {
    expect(moment('15m', now)).toBe('2026-01-31T08:00:30.000Z');
    expect(moment('2 h', now)).toBe('2026-01-31T06:15:30.000Z');
    expect(moment('3d', now)).toBe('2026-01-28T08:15:30.000Z');
    expect(moment('2026-01-30', now)).toBe('2026-01-30T00:00:00.000Z');
    expect(moment('2026-01-30T10:00:00+02:00', now)).toBe('2026-01-30T08:00:00.000Z');
    for (const wrong of ['yesterday', '5', '-2h', '2026-02-30T00:00:00Z', ''])
      expect(() => moment(wrong, now)).toThrow();
  });
});

describe('asking first', () => {
  test('yes is y or yes; anything else is no', async () => {
    for (const answer of ['y', ' YES '])
      expect(await confirmed(new RecordingTerminal({ answers: [answer] }), 'Go?', false)).toBe(true);
    for (const answers of [['n'], [''], [], ['yo']]) {
      const terminal = new RecordingTerminal({ answers });
      expect(await confirmed(terminal, 'Go?', false)).toBe(false);
      expect(terminal.stderr).toBe('Go? [y/N] Nothing was done.\n');
    }
  });

  test('what cannot be taken back wants the name', async () => {
    const named = (answer: string) =>
      confirmedByName(new RecordingTerminal({ answers: [answer] }), 'Gone.', 'a-pair', false);
    expect([await named('a-pair'), await named('y'), await named('a-pai')]).toEqual([true, false, false]);
  });

  test('where nobody is, --yes has to be said', async () => {
    await expect(confirmed(new RecordingTerminal(), 'Go?', false)).rejects.toThrow(UsageError);
    expect(await confirmed(new RecordingTerminal(), 'Go?', true)).toBe(true);
  });
});

describe('the commands', () => {
  test('each has a description, and groups have a command that they are without a word after them', () => {
    const program = createProgram(new RecordingTerminal());
    for (const command of program.commands) {
      expect(command.description(), command.name()).not.toBe('');
      for (const sub of command.commands) expect(sub.description(), `${command.name()} ${sub.name()}`).not.toBe('');
    }
  });

  test('wrong arguments end with 64 and do nothing', async () => {
    for (const line of [
      'pairs bogus',
      'pairs show',
      'pairs resync a --timeout never',
      'operations --limit 0',
      'operations --state odd',
      'keys create x',
      'keys create x --role king',
      'fence a --timeout 301',
      'systems check a --as none',
      'dead-letters replay',
      'dead-letters discard 7 --all',
      'dead-letters replay 7 8 --row x --yes',
      'audit --outcome maybe',
      'audit --since yesterday',
    ])
      expect((await terrafusion([...line.split(' '), '--url', 'http://127.0.0.1:1'])).code, line).toBe(64);
  });
});
