import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { WorkEngine, type WithLease, type WorkUnit } from '#services/sync-service/work.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const alone: WithLease = async (name, signal, work) => {
  await work(signal, { name, holder: 'us', token: 1n });
  return 'done';
};

/** Everything that promises have queued gets its turn. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

class Trace {
  readonly events: string[] = [];
  unit(name: string, version: string, run?: (signal: AbortSignal) => Promise<void>): WorkUnit {
    return {
      name,
      version,
      run: async (signal) => {
        this.events.push(`start ${name} ${version}`);
        await (run ? run(signal) : untilAborted(signal));
        this.events.push(`end ${name} ${version}`);
      },
      halted: async (error, lease) => void this.events.push(`halted ${name} ${error.code} ${lease?.token ?? '-'}`),
      interrupted: async (error, _waitMs, lease) =>
        void this.events.push(`interrupted ${name} ${error.code} ${lease?.token ?? '-'}`),
    };
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener('abort', () => {
        resolve();
      });
  });
}

function engineOf(wanted: () => readonly WorkUnit[], withLease: WithLease = alone) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const engine = new WorkEngine({ wanted: async () => wanted(), withLease, clock, log: silent, random: () => 1 });
  const finished = engine.run(stop.signal);
  return {
    engine,
    clock,
    look: async () => {
      engine.wake();
      await settle();
      await settle();
    },
    stop: async () => {
      stop.abort();
      await finished;
    },
  };
}

describe('what runs follows what should run', () => {
  test('wanted work starts, unwanted work is drained, and stop drains the rest', async () => {
    const trace = new Trace();
    const wanted = [trace.unit('a', '1'), trace.unit('b', '1')];
    const { look, stop } = engineOf(() => wanted);
    await look();
    expect(trace.events).toEqual(['start a 1', 'start b 1']);
    wanted.shift();
    await look();
    expect(trace.events).toContain('end a 1');
    await stop();
    expect(trace.events.at(-1)).toBe('end b 1');
  });

  test('another version waits until the running one has drained', async () => {
    const trace = new Trace();
    let release = () => {};
    const draining = new Promise<void>((resolve) => (release = resolve));
    let wanted = [
      trace.unit('a', '1', async (signal) => {
        await untilAborted(signal);
        await draining;
      }),
    ];
    const { look, stop } = engineOf(() => wanted);
    await look();
    wanted = [trace.unit('a', '2')];
    await look();
    expect(trace.events).toEqual(['start a 1']);
    release();
    await look();
    expect(trace.events).toEqual(['start a 1', 'end a 1', 'start a 2']);
    await stop();
  });

  test('what heals is started again after its wait, not before', async () => {
    const trace = new Trace();
    let runs = 0;
    const unit = trace.unit('a', '1', async (signal) => {
      if (++runs === 1) throw new TerraFusionError('TARGET_UNREACHABLE', 'down');
      await untilAborted(signal);
    });
    const { look, clock, engine, stop } = engineOf(() => [unit]);
    await look();
    expect(trace.events).toEqual(['start a 1', 'interrupted a TARGET_UNREACHABLE 1']);
    await look();
    expect(runs).toBe(1);
    clock.advance(500);
    await look();
    expect(runs).toBe(2);
    expect(engine.restarts.get('a')).toBe(1);
    await stop();
  });

  test('what does not heal is told once and left alone until it is another version', async () => {
    const trace = new Trace();
    const fail = async () => {
      throw new TerraFusionError('TARGET_NO_PRIVILEGE', 'no');
    };
    let wanted = [trace.unit('a', '1', fail)];
    const { look, clock, stop } = engineOf(() => wanted);
    await look();
    clock.advance(3_600_000);
    await look();
    expect(trace.events).toEqual(['start a 1', 'halted a TARGET_NO_PRIVILEGE 1']);
    wanted = [trace.unit('a', '2')];
    await look();
    expect(trace.events.at(-1)).toBe('start a 2');
    await stop();
  });

  test('work whose lease is held elsewhere is asked for again later', async () => {
    const trace = new Trace();
    let elsewhere = true;
    const withLease: WithLease = (name, signal, work) =>
      elsewhere ? Promise.resolve('held-elsewhere') : alone(name, signal, work);
    const { look, clock, stop } = engineOf(() => [trace.unit('a', '1')], withLease);
    await look();
    expect(trace.events).toEqual([]);
    elsewhere = false;
    clock.advance(1000);
    await look();
    expect(trace.events).toEqual(['start a 1']);
    await stop();
  });

  test('a control database that is away stops nothing that runs', async () => {
    const trace = new Trace();
    let away = false;
    const unit = trace.unit('a', '1');
    const { look, stop } = engineOf(() => {
      if (away) throw new TerraFusionError('CONTROL_DATABASE_UNREACHABLE', 'away');
      return [unit];
    });
    await look();
    away = true;
    await look();
    expect(trace.events).toEqual(['start a 1']);
    await stop();
  });

  test('a unit whose restart is refused halts with the refusal, others are started again', async () => {
    const clock = new ManualClock();
    const trace = new Trace();
    const away = () => Promise.reject(new TerraFusionError('TARGET_UNREACHABLE', 'down'));
    const engine = new WorkEngine({
      wanted: () =>
        Promise.resolve([{ ...trace.unit('pair:a', '1', away), stageOf: 'a' }, trace.unit('slot:s', '1', away)]),
      withLease: alone,
      clock,
      log: silent,
      random: () => 1,
      refusal: ({ stageOf }, { message }) =>
        stageOf === undefined ? undefined : new TerraFusionError('HEALING_SWITCHED_OFF', message),
    });
    const stop = new AbortController();
    const running = engine.run(stop.signal);
    await clock.elapse(60_000);
    expect(trace.events.filter((event) => event.includes('pair:a'))).toEqual([
      'start pair:a 1',
      'halted pair:a HEALING_SWITCHED_OFF 1',
    ]);
    expect(trace.events.filter((event) => event === 'start slot:s 1').length).toBeGreaterThan(2);
    stop.abort();
    await running;
  });

  test('tells each unit by the state of its circuit, and who is started again', async () => {
    const clock = new ManualClock();
    const trace = new Trace();
    const restarted: string[] = [];
    let healed = false;
    const flaky = trace.unit('reader:s', '1', async (signal) => {
      if (!healed) throw new TerraFusionError('SOURCE_UNREACHABLE', 'gone');
      await untilAborted(signal);
    });
    const broken = trace.unit('pair:b', '1', () =>
      Promise.reject(new TerraFusionError('TARGET_TABLE_MISSING', 'no table')),
    );
    const engine = new WorkEngine({
      wanted: () => Promise.resolve([flaky, broken, trace.unit('pair:a', '1')]),
      withLease: alone,
      clock,
      log: silent,
      random: () => 1,
      onRestart: (name) => restarted.push(name),
    });
    const stop = new AbortController();
    const running = engine.run(stop.signal);
    await clock.elapse(1);
    const states = () => Object.fromEntries(engine.circuits());
    expect(states()).toEqual({ 'reader:s': 'open', 'pair:b': 'halted', 'pair:a': 'closed' });
    healed = true;
    await clock.elapse(3000);
    expect(states()).toEqual({ 'reader:s': 'closed', 'pair:b': 'halted', 'pair:a': 'closed' });
    expect(restarted).toEqual(['reader:s']);
    stop.abort();
    await running;
  });
});
