import { spawn, type ChildProcess } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { ProcessSupervisor, type Restart, type SuperviseLimits } from '#services/gateway/supervise.ts';
import { eventually } from '#test/support/eventually.ts';

const limits: Partial<SuperviseLimits> = {
  probeEvery: 10,
  probeTimeout: 50,
  failures: 3,
  startTimeout: 300,
  stopTimeout: 2000,
};
const children: ChildProcess[] = [];
const supervisors: ProcessSupervisor[] = [];
afterEach(async () => {
  for (const supervisor of supervisors.splice(0)) await supervisor.stop();
  for (const child of children.splice(0)) expect(child.exitCode !== null || child.signalCode !== null).toBe(true);
});

function supervise(
  script: string,
  isLive: (pid: number) => Promise<boolean> = () => Promise.resolve(true),
  mayRestart?: () => Promise<boolean>,
) {
  const restarts: Restart[] = [];
  const supervisor = new ProcessSupervisor({
    name: 'child',
    start: () => {
      const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
      children.push(child);
      return child;
    },
    isLive,
    ...(mayRestart && { mayRestart }),
    onRestart: (restart) => {
      restarts.push(restart);
      return Promise.resolve();
    },
    clock: systemClock,
    log: silentLog,
    random: () => 0.01,
    limits,
  });
  supervisors.push(supervisor);
  return { supervisor, restarts };
}
const forever = 'setInterval(() => {}, 1000)';

describe('a supervised process', () => {
  test('runs, and ends when we stop', async () => {
    const { supervisor } = supervise(forever);
    await eventually(() => supervisor.status().state === 'up');
    const { pid } = supervisor.status();
    expect(pid).toBe(children[0]!.pid);
    await supervisor.stop();
    expect(supervisor.status()).toMatchObject({ state: 'stopped', restarts: 0, pid: undefined });
    expect(children[0]!.signalCode).toBe('SIGTERM');
  });

  test('is started again when it dies, with the reason', async () => {
    const { supervisor, restarts } = supervise(forever);
    await eventually(() => supervisor.status().state === 'up');
    children[0]!.kill('SIGKILL');
    await eventually(() => supervisor.status().state === 'up' && supervisor.status().restarts === 1);
    expect(restarts).toEqual([{ reason: 'was killed by SIGKILL', count: 1 }]);
    expect(supervisor.status()).toMatchObject({ recentRestarts: 1, lastReason: 'was killed by SIGKILL' });
    const exits = supervise('process.exit(78)');
    await eventually(() => exits.restarts.length >= 2);
    expect(exits.restarts[0]).toEqual({ reason: 'exited with code 78', count: 1 });
  });

  test('is killed and started again when it hangs', async () => {
    const deaf = new Set<number>();
    const { supervisor, restarts } = supervise(`process.on('SIGTERM', () => {}); ${forever}`, (pid) =>
      deaf.has(pid) ? new Promise(() => undefined) : Promise.resolve(true),
    );
    await eventually(() => supervisor.status().state === 'up');
    const first = children[0]!;
    deaf.add(first.pid!);
    await eventually(() => restarts.length === 1);
    expect(restarts).toEqual([{ reason: 'did not answer', count: 1 }]);
    expect(first.signalCode).toBe('SIGKILL');
    await eventually(() => supervisor.status().state === 'up');
  });

  test('is given up on when it never answers', async () => {
    const { restarts } = supervise(forever, () => Promise.reject(new Error('refused')));
    await eventually(() => restarts.length === 1);
    expect(restarts[0]!.reason).toBe('did not answer');
  });

  test('that cannot be started is tried again, and stopping does not wait for it', async () => {
    const restarts: Restart[] = [];
    const supervisor = new ProcessSupervisor({
      name: 'child',
      start: () => spawn('/no/such/program', { stdio: 'ignore' }),
      isLive: () => Promise.resolve(false),
      onRestart: (restart) => {
        restarts.push(restart);
        return Promise.reject(new Error('the trail is away'));
      },
      clock: systemClock,
      log: silentLog,
      random: () => 0.01,
      limits,
    });
    supervisors.push(supervisor);
    await eventually(() => restarts.length >= 2);
    expect(restarts[0]!.reason).toContain('could not be started');
    await supervisor.stop();
  });

  test('that does not end when asked is killed', async () => {
    let ready = false;
    const supervisor = new ProcessSupervisor({
      name: 'child',
      start: () => {
        const child = spawn(
          process.execPath,
          ['-e', `process.on('SIGTERM', () => {}); process.send('ready'); ${forever}`],
          {
            stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
          },
        );
        child.once('message', () => {
          ready = true;
        });
        children.push(child);
        return child;
      },
      isLive: () => Promise.resolve(true),
      onRestart: () => Promise.resolve(),
      clock: systemClock,
      log: silentLog,
      limits: { ...limits, stopTimeout: 100 },
    });
    await eventually(() => ready);
    await supervisor.stop();
    expect(children.at(-1)!.signalCode).toBe('SIGKILL');
  });
});

describe('while starting again is switched off', () => {
  test('a process that has ended is left so until that is switched on', async () => {
    let may = false;
    let asked = 0;
    const { supervisor, restarts } = supervise('process.exit(3)', undefined, () => {
      asked += 1;
      return Promise.resolve(may);
    });
    await eventually(() => asked > 5);
    expect(supervisor.status()).toMatchObject({ state: 'waiting', restarts: 0, lastReason: 'exited with code 3' });
    expect(restarts).toEqual([]);
    may = true;
    await eventually(() => restarts.length > 0);
    expect(restarts[0]).toMatchObject({ reason: 'exited with code 3', count: 1 });
  });

  test('one that hangs is not killed, and may answer again; switched on it is', async () => {
    let may = false;
    let lives = true;
    let probes = 0;
    const { supervisor, restarts } = supervise(
      forever,
      () => {
        probes += 1;
        return Promise.resolve(lives);
      },
      () => Promise.resolve(may),
    );
    await eventually(() => supervisor.status().state === 'up');
    const { pid } = supervisor.status();
    lives = false;
    const from = probes;
    await eventually(() => probes > from + 8);
    expect(supervisor.status().pid).toBe(pid);
    may = true;
    await eventually(() => restarts.length > 0);
    expect(restarts[0]).toMatchObject({ reason: 'did not answer' });
    lives = true;
    await eventually(() => supervisor.status().state === 'up' && supervisor.status().pid !== pid);
  });

  test('stopping is not held up by it', async () => {
    const { supervisor } = supervise('process.exit(0)', undefined, () => Promise.resolve(false));
    await eventually(() => supervisor.status().state === 'waiting');
    await supervisor.stop();
    expect(supervisor.status().state).toBe('stopped');
  });
});
