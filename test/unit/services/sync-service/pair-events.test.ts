import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { PairState } from '#schemas/pairs.ts';
import type { Trouble } from '#services/control/pair-runs.ts';
import { stateEvents } from '#services/sync-service/pair-events.ts';

const busy = new TerraFusionError('TARGET_BUSY', 'locked');
const away = new TerraFusionError('TARGET_UNREACHABLE', 'away');
const lost = new TerraFusionError('SOURCE_SLOT_MISSING', 'gone');
const now = '2026-01-31T08:15:30.000Z';

/** The events of a pair that goes through these words, one after the other. */
function told(...words: readonly (readonly [PairState, TerraFusionError?])[]): string[] {
  let state: PairState = 'created';
  let trouble: Trouble | undefined;
  return words.flatMap(([next, error]) => {
    const { events, trouble: after } = stateEvents({ state, trouble }, next, error, now);
    state = next;
    trouble = after;
    return events.map(({ name, details }) =>
      typeof details['code'] === 'string' ? `${name} ${details['code']}` : name,
    );
  });
}

describe('what is told of a pair', () => {
  test('in its ordinary life', () => {
    expect(told(['loading'], ['catching_up'], ['streaming'], ['paused'], ['catching_up'], ['streaming'])).toEqual([
      'pair.started',
      'pair.streaming',
      'pair.paused',
      'pair.started',
      'pair.streaming',
    ]);
  });

  test('a process that starts again is not the pair starting', () => {
    expect(told(['loading'], ['loading'], ['catching_up'], ['streaming'], ['catching_up'], ['streaming'])).toEqual([
      'pair.started',
      'pair.streaming',
      'pair.streaming',
    ]);
  });

  test('an interruption is told once, and as over only when it is', () => {
    expect(
      told(
        ['loading'],
        ['loading', away],
        ['loading'],
        ['loading', away],
        ['loading'],
        ['catching_up'],
        ['catching_up', busy],
        ['catching_up', away],
        ['catching_up'],
        ['streaming'],
      ),
    ).toEqual([
      'pair.started',
      'pair.interrupted TARGET_UNREACHABLE',
      'pair.recovered TARGET_UNREACHABLE',
      'pair.interrupted TARGET_BUSY',
      'pair.interrupted TARGET_UNREACHABLE',
      'pair.recovered TARGET_UNREACHABLE',
      'pair.streaming',
    ]);
  });

  test('a failure is told even when the same was an interruption before, and is over once it streams', () => {
    expect(
      told(['catching_up'], ['failed', lost], ['failed', lost], ['paused'], ['catching_up'], ['streaming']),
    ).toEqual([
      'pair.started',
      'pair.halted SOURCE_SLOT_MISSING',
      'pair.paused',
      'pair.started',
      'pair.recovered SOURCE_SLOT_MISSING',
      'pair.streaming',
    ]);
    expect(told(['streaming', away], ['failed', away]).slice(1)).toEqual([
      'pair.interrupted TARGET_UNREACHABLE',
      'pair.halted TARGET_UNREACHABLE',
    ]);
  });
});
