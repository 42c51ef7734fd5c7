import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Patience, watchSilence, type Verdict } from '#connectors/postgres/silence.ts';
import type { ConnectorHealing } from '#connectors/contract/context.ts';
import type { TerraFusionError } from '#schemas/errors.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A session that waits in silence, and a server that says this of it, time after time. */
function watched(...verdicts: readonly Verdict[]) {
  return watchedBy(undefined, ...verdicts);
}

/** The same, under somebody's switch. */
function watchedBy(healing: ConnectorHealing | undefined, ...verdicts: readonly Verdict[]) {
  const session = { waits: true, bytesMoved: 0, lost: undefined as TerraFusionError | undefined };
  const said = [...verdicts];
  const ask = vi.fn(() => Promise.resolve(said.shift() ?? 'works'));
  const patience = new Patience(12_000);
  const watch = watchSilence(
    {
      get waits() {
        return session.waits;
      },
      get bytesMoved() {
        return session.bytesMoved;
      },
      lose: (error) => {
        session.lost = error;
        watch[Symbol.dispose]();
      },
    },
    ask,
    patience,
    { role: 'target', address: 'sync@host:5432/cama', healing },
  );
  return { session, ask, patience };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a session that waits in silence', () => {
  test.each([
    ['gone', 'has ended the session'],
    ['unreachable', 'cannot be reached'],
  ] as const)('is given up when the server is asked and it is %s', async (verdict, words) => {
    const { session, ask, patience } = watched(verdict);
    await pass(11_000);
    expect(ask).not.toHaveBeenCalled();
    await pass(2000);
    expect(session.lost).toMatchObject({ code: 'TARGET_UNREACHABLE' });
    expect(session.lost?.message).toContain(words);
    expect(session.lost?.message).toContain('sync@host:5432/cama');
    // The next one is given twice the time.
    expect(patience.ms).toBe(24_000);
  });

  test('is told to who counts; while that is switched off it is waited for, and given up once it is on again', async () => {
    const done: string[] = [];
    let on = false;
    const healing: ConnectorHealing = {
      isOn: (action) => on || action !== 'give_up_silent_connection',
      done: (action, message) => void done.push(`${action}: ${message}`),
    };
    const { session, ask } = watchedBy(healing, 'gone', 'gone', 'gone', 'gone');
    await pass(40_000);
    expect(ask.mock.calls.length).toBeGreaterThan(1);
    expect([session.lost, done]).toEqual([undefined, []]);
    on = true;
    await pass(13_000);
    expect(session.lost).toMatchObject({ code: 'TARGET_UNREACHABLE' });
    expect(done).toEqual([`give_up_silent_connection: ${session.lost!.message}`]);
  });

  test('is given up when the server waits for it too, and still does a moment later', async () => {
    const { session, ask } = watched('waits for us', 'waits for us');
    await pass(12_500);
    expect([ask.mock.calls.length, session.lost]).toEqual([1, undefined]);
    await pass(1000);
    expect(session.lost?.message).toContain('leads nowhere');
  });

  test('is left in peace while the server works, however long', async () => {
    const { session, ask } = watched();
    await pass(600_000);
    expect(session.lost).toBeUndefined();
    expect(ask.mock.calls.length).toBeGreaterThan(10);
  });

  test('is left in peace when nothing can be said of it', async () => {
    const { session } = watched(...Array.from({ length: 99 }, () => 'unknown' as const));
    await pass(600_000);
    expect(session.lost).toBeUndefined();
  });

  test('is alive with every byte that moves, also while the server is asked', async () => {
    const { session, ask } = watched('gone');
    await pass(9000);
    session.bytesMoved += 1;
    await pass(9000);
    expect(ask).not.toHaveBeenCalled();
    ask.mockImplementationOnce(() => {
      session.bytesMoved += 1;
      return Promise.resolve('gone');
    });
    await pass(6000);
    expect([ask.mock.calls.length, session.lost]).toEqual([1, undefined]);
  });
});

test('a session that waits for nothing is not asked about', async () => {
  const { session, ask } = watched('gone');
  session.waits = false;
  await pass(600_000);
  expect(ask).not.toHaveBeenCalled();
});
