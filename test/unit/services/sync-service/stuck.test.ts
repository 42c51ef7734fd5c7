import { beforeEach, describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Healing, HealingAction, HealingNote } from '#schemas/healing.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { watched, type WatchedStage } from '#services/sync-service/stuck.ts';

const AFTER = 120_000;

let clock: ManualClock;
let history: Map<string, number>;
let on: boolean;
let acted: { readonly action: HealingAction; readonly note: HealingNote }[];
let left: (string | undefined)[];

beforeEach(() => {
  clock = new ManualClock();
  history = new Map();
  on = true;
  acted = [];
  left = [];
});

const healing: Healing = {
  isOn: () => on,
  done: (action, note) => void acted.push({ action, note }),
};

/** A stage whose signs a test gives by hand. */
class Stage implements WatchedStage {
  readonly name = 'writer';
  readonly subject = 'pacs-to-cama';
  waiting: string | undefined = '7 blocks wait for the target';
  moved = 0;
  committed = 0;
  atWork = 0;
  asked = 0;

  work(): string | undefined {
    return this.waiting;
  }

  signs(): string {
    return `${this.moved} ${this.committed}`;
  }

  done(): string {
    return String(this.committed);
  }

  isAtWork(): Promise<boolean> {
    this.asked += 1;
    return Promise.resolve(this.atWork-- > 0);
  }
}

/** Runs it until it ends, with what it ends with; `isOver` tells whether it has. */
function run(stage: Stage, outer = new AbortController(), ends: (signal: AbortSignal) => Promise<void> = untilAborted) {
  let outcome: unknown = 'running';
  const options = {
    ...{ clock, log: silentLog, afterMs: AFTER, healing, history },
    left: (error: TerraFusionError | undefined) => void left.push(error?.code),
  };
  void watched(stage, options, outer.signal, ends).then(
    () => (outcome = 'ended'),
    (error: unknown) => (outcome = error instanceof TerraFusionError ? error.code : error),
  );
  return {
    outcome: () => outcome,
    stop: () => {
      outer.abort(new Error('stopped'));
    },
  };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('what follows from being stopped'));
    });
  });
}

describe('a stage that has work and does nothing', () => {
  test('is stopped after its time, not before, with the reason, and that is told', async () => {
    const { outcome } = run(new Stage());
    await clock.elapse(AFTER - 6000);
    expect(outcome()).toBe('running');
    await clock.elapse(12_000);
    expect(outcome()).toBe('STAGE_STUCK');
    expect(acted).toMatchObject([
      { action: 'restart_stuck_stage', note: { subject: 'pacs-to-cama', code: 'STAGE_STUCK' } },
    ]);
    expect(acted[0]!.note.message).toMatch(
      /^The writer of pacs-to-cama has got nothing done for 120 s, though 7 blocks wait for the target/,
    );
  });

  test('is given twice as long each time, and is not started again for ever', async () => {
    const ends: unknown[] = [];
    for (const limit of [AFTER, 2 * AFTER, 4 * AFTER]) {
      const { outcome } = run(new Stage());
      await clock.elapse(limit - 6000);
      expect(outcome()).toBe('running');
      await clock.elapse(12_000);
      ends.push(outcome());
    }
    expect(ends).toEqual(['STAGE_STUCK', 'STAGE_STUCK', 'STAGE_STAYS_STUCK']);
    expect(acted).toHaveLength(2);
    // Somebody has seen to it and started it: it counts anew.
    const { outcome } = run(new Stage());
    await clock.elapse(AFTER + 6000);
    expect(outcome()).toBe('STAGE_STUCK');
  });

  test('begins to count anew once it has done something that stays', async () => {
    history.set('writer pacs-to-cama', 2);
    const stage = new Stage();
    const { outcome } = run(stage);
    stage.committed += 1;
    await clock.elapse(4 * AFTER + 12_000);
    expect(outcome()).toBe('STAGE_STUCK');
    expect(history.get('writer pacs-to-cama')).toBe(1);
  });

  test('is remembered over a run that ends otherwise, unless that has done something that stays', async () => {
    for (const [change, remembered] of [
      [(stage: Stage) => (stage.moved += 1), 1],
      [(stage: Stage) => (stage.committed += 1), undefined],
    ] as const) {
      history.set('writer pacs-to-cama', 1);
      const stage = new Stage();
      const { outcome, stop } = run(stage);
      await clock.elapse(10_000);
      change(stage);
      await clock.elapse(10_000);
      stop();
      await clock.elapse(10);
      expect(outcome()).toEqual(new Error('what follows from being stopped'));
      expect(history.get('writer pacs-to-cama')).toBe(remembered);
    }
  });

  test('counts on when all that it does is done again each time', async () => {
    history.set('writer pacs-to-cama', 2);
    const stage = new Stage();
    const { outcome } = run(stage);
    stage.moved += 1;
    await clock.elapse(4 * AFTER + 12_000);
    expect(outcome()).toBe('STAGE_STAYS_STUCK');
  });

  test('is left as it is when that is switched off, and told; switched on it is seen to', async () => {
    on = false;
    const stage = new Stage();
    const { outcome } = run(stage);
    await clock.elapse(3 * AFTER);
    expect(outcome()).toBe('running');
    expect(left).toEqual(['STAGE_STUCK']);
    // It goes on by itself: nothing is stuck any more.
    stage.moved += 1;
    await clock.elapse(6000);
    expect(left).toEqual(['STAGE_STUCK', undefined]);
    await clock.elapse(AFTER + 6000);
    expect(left).toEqual(['STAGE_STUCK', undefined, 'STAGE_STUCK']);
    expect(acted).toEqual([]);
    on = true;
    await clock.elapse(6000);
    expect(outcome()).toBe('STAGE_STUCK');
    expect(acted).toHaveLength(1);
  });
});

describe('a stage is left alone', () => {
  test('while anything moves, be it only a part of a transaction', async () => {
    const stage = new Stage();
    const { outcome } = run(stage);
    for (let nth = 0; nth < 30; nth += 1) {
      await clock.elapse(AFTER - 10_000);
      stage.moved += 1;
    }
    expect(outcome()).toBe('running');
    expect(stage.asked).toBe(0);
  });

  test('while it has no work, or that cannot be told', async () => {
    const stage = new Stage();
    stage.waiting = undefined;
    const { outcome } = run(stage);
    await clock.elapse(10 * AFTER);
    stage.work = () => {
      throw new Error('the bus does not say');
    };
    await clock.elapse(10 * AFTER);
    expect(outcome()).toBe('running');
  });

  test('while the other end works for it, however long', async () => {
    const stage = new Stage();
    stage.atWork = 5;
    const { outcome } = run(stage);
    await clock.elapse(5 * AFTER + 60_000);
    expect(outcome()).toBe('running');
    expect(stage.asked).toBe(5);
    await clock.elapse(AFTER);
    expect(outcome()).toBe('STAGE_STUCK');
  });

  test('when it moves while the other end is asked', async () => {
    const stage = new Stage();
    stage.isAtWork = () => {
      stage.moved += 1;
      return Promise.resolve(false);
    };
    const { outcome } = run(stage);
    await clock.elapse(5 * AFTER);
    expect(outcome()).toBe('running');
  });

  test('when the whole process has slept', async () => {
    const { outcome } = run(new Stage());
    await clock.untilSleeping();
    clock.advance(10 * AFTER);
    await clock.elapse(0);
    expect(outcome()).toBe('running');
  });
});

describe('what the stage itself ends with', () => {
  test('is what is told: its end, its error, and nothing of being stuck when somebody stops it', async () => {
    const done = run(new Stage(), undefined, () => Promise.resolve());
    const failed = run(new Stage(), undefined, () =>
      Promise.reject(new TerraFusionError('TARGET_TABLE_MISSING', 'no table')),
    );
    const stopped = run(new Stage(), undefined, (signal) => untilAborted(signal).catch(() => undefined));
    stopped.stop();
    await clock.elapse(10);
    expect([done.outcome(), failed.outcome(), stopped.outcome()]).toEqual(['ended', 'TARGET_TABLE_MISSING', 'ended']);
    await clock.elapse(10 * AFTER);
    expect(clock.sleeping).toBe(0);
    expect(acted).toEqual([]);
  });
});
