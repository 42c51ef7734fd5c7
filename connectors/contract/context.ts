/** What a connector is given instead of importing the kernel. */
export interface ConnectorContext {
  readonly log: Log;
  readonly clock: Clock;
  /** Aborted when the work should stop; every wait honours it. */
  readonly signal: AbortSignal;
  /** What a connector may do by itself, and whom it tells; left out: all of it, and nobody. */
  readonly healing?: ConnectorHealing | undefined;
}

/** What a connector does by itself when something goes wrong (`schemas/healing.ts`): operators switch it, and see it. Never throws. */
export interface ConnectorHealing {
  isOn(action: ConnectorAction): boolean;
  /** @param message what was done about what; without secrets */
  done(action: ConnectorAction, message: string): void;
}

export type ConnectorAction = 'give_up_silent_connection' | 'end_left_behind_sessions';

/** Fields first, then a sentence; secrets never (see `Secret`). A pino logger fits. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Time comes in through the constructor, so that tests move it by hand. */
export interface Clock {
  /** Milliseconds since 1970, wall clock. */
  now(): number;
  /** Milliseconds that never run backwards. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
