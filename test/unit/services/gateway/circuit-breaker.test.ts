import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { CircuitBreaker } from '#services/gateway/circuit-breaker.ts';
import { PatientDatabase, within } from '#services/gateway/patience.ts';
import { ManualClock } from '#services/kernel/clock.ts';

const down = new TerraFusionError('SERVICE_UNAVAILABLE', 'The sync-service cannot be reached');
const refusal = new TerraFusionError('NOT_FOUND', 'There is no dead letter');

function circuit() {
  const clock = new ManualClock();
  const breaker = new CircuitBreaker({
    name: 'sync-service',
    clock,
    isDown: ({ code }) => code === 'SERVICE_UNAVAILABLE',
  });
  let asked = 0;
  const ask = (answer: () => Promise<string>) =>
    breaker.ask(() => {
      asked += 1;
      return answer();
    });
  const fail = () => ask(() => Promise.reject(down)).catch((error: unknown) => error as TerraFusionError);
  const answer = () => ask(() => Promise.resolve('well'));
  return { clock, breaker, ask, fail, answer, asked: () => asked };
}

describe('a circuit', () => {
  test('opens after failures in a row, and says then at once what was wrong', async () => {
    const { breaker, fail, asked } = circuit();
    for (let nth = 0; nth < 3; nth += 1) await fail();
    expect(breaker.status()).toMatchObject({ state: 'open', failures: 3, opened: 1, retryInMs: 500 });
    const told = await fail();
    expect(asked()).toBe(3);
    expect(told).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: 'The sync-service cannot be reached; it is asked again within 1 seconds',
      details: { circuit: 'open', retry_after_s: 1 },
    });
  });

  test('stays closed when answers come in between, and for answers that refuse', async () => {
    const { breaker, ask, fail, answer } = circuit();
    for (let nth = 0; nth < 9; nth += 1) {
      await fail();
      await fail();
      if (nth % 2 === 0) await answer();
      else await expect(ask(() => Promise.reject(refusal))).rejects.toBe(refusal);
    }
    expect(breaker.status()).toMatchObject({ state: 'closed', opened: 0 });
  });

  test('lets one try at a time, waits longer after each that fails, and closes with the first answer', async () => {
    const { clock, breaker, ask, fail, answer, asked } = circuit();
    for (let nth = 0; nth < 3; nth += 1) await fail();
    const waits: number[] = [];
    for (let nth = 0; nth < 6; nth += 1) {
      const { retryInMs } = breaker.status();
      waits.push(retryInMs);
      clock.advance(retryInMs);
      expect(breaker.status().state).toBe('half_open');
      await fail();
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
    clock.advance(5000);
    const trial = Promise.withResolvers<string>();
    const before = asked();
    const trying = ask(() => trial.promise);
    await expect(answer()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(asked()).toBe(before + 1);
    trial.resolve('well');
    await trying;
    expect(breaker.status()).toMatchObject({ state: 'closed', failures: 0, opened: 1 });
    expect(await answer()).toBe('well');
  });

  test('that many were waiting behind waits no longer for it', async () => {
    const { breaker, ask } = circuit();
    const answers = Array.from({ length: 20 }, () => Promise.withResolvers<string>());
    const asking = answers.map(({ promise }) => ask(() => promise).catch(() => undefined));
    for (const { reject } of answers) reject(down);
    await Promise.all(asking);
    expect(breaker.status()).toMatchObject({ state: 'open', opened: 1, retryInMs: 500 });
  });

  test('closes when somebody has seen that it is there', async () => {
    const { breaker, fail, answer } = circuit();
    for (let nth = 0; nth < 3; nth += 1) await fail();
    breaker.close();
    expect(await answer()).toBe('well');
  });
});

describe('patience', () => {
  test('ends, and what comes later is nobody’s business', async () => {
    const clock = new ManualClock();
    const late = Promise.withResolvers<string>();
    const waiting = within(
      clock,
      2500,
      () => down,
      () => late.promise,
    );
    clock.advance(2500);
    await expect(waiting).rejects.toBe(down);
    late.reject(new Error('unheard'));
    expect(
      await within(
        clock,
        2500,
        () => down,
        () => Promise.resolve('in time'),
      ),
    ).toBe('in time');
  });

  test('with a control database that does not answer is not tried by each request', async () => {
    const clock = new ManualClock();
    const database = new PatientDatabase(clock);
    let asked = 0;
    const hangs = () => {
      asked += 1;
      return new Promise<never>(() => undefined);
    };
    for (let nth = 0; nth < 3; nth += 1) {
      const asking = database.ask(hangs);
      clock.advance(5000);
      await expect(asking).rejects.toMatchObject({ code: 'CONTROL_DATABASE_UNREACHABLE' });
    }
    await expect(database.ask(hangs)).rejects.toMatchObject({ code: 'CONTROL_DATABASE_UNREACHABLE' });
    expect([asked, database.status().state]).toEqual([3, 'open']);
  });
});
