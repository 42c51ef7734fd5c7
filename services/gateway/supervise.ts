import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';
import { Backoff, type Random } from '#services/kernel/retry.ts';

export interface SuperviseOptions {
  /** What the process is called in the log: "sync-service". */
  readonly name: string;
  /** Starts the process. It should end by SIGTERM, and when its IPC channel (if it has one) closes because we were killed. */
  readonly start: () => ChildProcess;
  /** Whether the process with this PID lives and answers; every rejection counts as no. Ends with the signal. */
  readonly isLive: (pid: number, signal: AbortSignal) => Promise<boolean>;
  /** Told of each start but the first, before it: for the audit trail. Its failure stops nothing. */
  readonly onRestart: (restart: Restart) => Promise<void>;
  /** Whether it may be killed and started again by itself now; asked each time, and again until it may. Left out: always. */
  readonly mayRestart?: () => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  readonly limits?: Partial<SuperviseLimits>;
}

/** All in milliseconds but the count. */
export interface SuperviseLimits {
  /** How often the process is asked whether it lives. */
  readonly probeEvery: number;
  /** How long one answer may take. */
  readonly probeTimeout: number;
  /** Unanswered questions in a row after which it counts as hung. */
  readonly failures: number;
  /** How long a process that has never answered may take to start. */
  readonly startTimeout: number;
  /** How long it may take to end when asked to, before it is killed. */
  readonly stopTimeout: number;
  /** How long it must have run well for the next wait to be short again. */
  readonly healthyAfter: number;
}

const defaults: SuperviseLimits = {
  probeEvery: 2000,
  probeTimeout: 3000,
  failures: 5,
  startTimeout: 60_000,
  stopTimeout: 30_000,
  healthyAfter: 60_000,
};

export interface Restart {
  /** "exited with code 1", "was killed by SIGKILL", "did not answer". */
  readonly reason: string;
  /** Restarts since we run, this one included. */
  readonly count: number;
}

export interface SuperviseStatus {
  readonly state: 'starting' | 'up' | 'waiting' | 'stopped';
  readonly pid: number | undefined;
  /** ms since 1970. */
  readonly startedAt: number | undefined;
  readonly restarts: number;
  /** Within the last 24 hours. */
  readonly recentRestarts: number;
  readonly lastReason: string | undefined;
}

const DAY = 24 * 3600_000;

/**
 * Keeps one process running: starts it, asks it whether it lives, starts it again with back-off when it dies or hangs.
 * (Promise 5: needs no hand.)
 */
export class ProcessSupervisor implements AsyncDisposable {
  readonly #options: SuperviseOptions;
  readonly #limits: SuperviseLimits;
  readonly #stop = new AbortController();
  readonly #recent: number[] = [];
  #child: ChildProcess | undefined;
  #state: SuperviseStatus['state'] = 'starting';
  #startedAt: number | undefined;
  #restarts = 0;
  #lastReason: string | undefined;
  readonly #done: Promise<void>;

  constructor(options: SuperviseOptions) {
    this.#options = options;
    this.#limits = { ...defaults, ...options.limits };
    this.#done = this.#run();
  }

  status(): SuperviseStatus {
    const since = this.#options.clock.now() - DAY;
    return {
      state: this.#state,
      pid: this.#child?.pid,
      startedAt: this.#startedAt,
      restarts: this.#restarts,
      recentRestarts: this.#recent.filter((at) => at >= since).length,
      lastReason: this.#lastReason,
    };
  }

  /** Asks the process to end, waits for it, kills it when it takes too long. Calling again changes nothing. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    const { clock, log, name, random } = this.#options;
    const backoff = new Backoff({ firstMs: 1000, maxMs: 30_000 }, random);
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const begun = clock.monotonic();
      const reason = await this.#runOnce();
      if (isAborted(signal)) break;
      if (clock.monotonic() - begun >= this.#limits.healthyAfter) backoff.reset();
      const waitMs = Math.round(backoff.next());
      this.#state = 'waiting';
      this.#lastReason = reason;
      const may = await this.#mayRestart();
      log.warn(
        { reason, restarts: this.#restarts, waitMs },
        may
          ? `The ${name} ${reason} and is started again.`
          : `The ${name} ${reason}; to start it again is switched off.`,
      );
      await clock.sleep(waitMs, signal).catch(() => undefined);
      while (!isAborted(signal) && !(await this.#mayRestart()))
        await clock.sleep(this.#limits.probeEvery, signal).catch(() => undefined);
      if (isAborted(signal)) break;
      this.#restarts += 1;
      this.#recent.push(clock.now());
      if (this.#recent.length > 1000) this.#recent.shift();
      await this.#options.onRestart({ reason, count: this.#restarts }).catch((error: unknown) => {
        log.warn({ error }, `The restart of the ${name} could not be noted in the audit trail.`);
      });
    }
    this.#state = 'stopped';
  }

  /** One life of the process; resolves when it has ended, with the reason. */
  async #runOnce(): Promise<string> {
    this.#state = 'starting';
    let child: ChildProcess;
    try {
      child = this.#options.start();
    } catch (error) {
      return `could not be started: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.#child = child;
    this.#startedAt = this.#options.clock.now();
    const ended = new AbortController();
    const exit = untilExit(child).finally(() => {
      ended.abort();
    });
    const hung = await this.#watch(child, AbortSignal.any([ended.signal, this.#stop.signal]));
    if (!ended.signal.aborted) await this.#end(child, exit, hung);
    const reason = await exit;
    this.#child = undefined;
    return hung ? 'did not answer' : reason;
  }

  /** Asks again and again; true when it hangs, false when the signal was aborted. */
  async #watch(child: ChildProcess, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const { probeEvery, probeTimeout, failures, startTimeout } = this.#limits;
    const begun = clock.monotonic();
    let missed = 0;
    let answered = false;
    while (!signal.aborted) {
      if (await this.#isLive(child.pid, probeTimeout, signal)) {
        answered = true;
        missed = 0;
        this.#state = 'up';
      } else if (answered) {
        missed += 1;
      }
      if (isAborted(signal)) return false;
      const hangs = missed >= failures || (!answered && clock.monotonic() - begun >= startTimeout);
      // Left as it is, it may answer again.
      if (hangs && (await this.#mayRestart())) return true;
      await clock.sleep(probeEvery, signal).catch(() => undefined);
    }
    return false;
  }

  async #mayRestart(): Promise<boolean> {
    return (await this.#options.mayRestart?.()) ?? true;
  }

  async #isLive(pid: number | undefined, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (pid === undefined) return false;
    const attempt = new AbortController();
    const both = AbortSignal.any([attempt.signal, signal]);
    const answer = this.#options.isLive(pid, both).catch(() => false);
    const timeout = this.#options.clock.sleep(timeoutMs, both).then(
      () => false,
      () => false,
    );
    try {
      return await Promise.race([answer, timeout]);
    } finally {
      attempt.abort();
    }
  }

  /** Ends the process: kindly, unless it hangs, then not. */
  async #end(child: ChildProcess, exit: Promise<string>, hung: boolean): Promise<void> {
    const { clock, log, name } = this.#options;
    if (!hung) child.kill('SIGTERM');
    const patience = new AbortController();
    const late = clock.sleep(hung ? 0 : this.#limits.stopTimeout, patience.signal).then(
      () => true,
      () => false,
    );
    const killed = await Promise.race([exit.then(() => false), late]);
    patience.abort();
    if (!killed) return;
    log.warn({ pid: child.pid }, `The ${name} ${hung ? 'does not answer' : 'did not end in time'} and is killed.`);
    child.kill('SIGKILL');
  }
}

async function untilExit(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return signal === null ? `exited with code ${code ?? 'unknown'}` : `was killed by ${signal}`;
  } catch (error) {
    // "error" instead of "exit": it never ran.
    return `could not be started: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Told to the compiler as a call: between two looks an abort may have come. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
