/** What the product does by itself when something goes wrong. */
export interface HealingRule {
  /** What is done. */
  readonly what: string;
  /** What it is done about. */
  readonly when: string;
  /** What comes of it once it is switched off; undefined: it cannot be, for the reason in `fixed`. */
  readonly off?: string;
  /** Why nobody can switch it off. */
  readonly fixed?: string;
}

/**
 * The one table of what heals by itself: API, command line, dashboard and metrics show it, and the switches are asked by these names. What
 * a pair or a system chooses for itself is not in it: `on_invalid` (rows that break a rule), `on_wal_budget` (giving a slot up).
 */
export const healingRules = {
  restart_stage: {
    what: 'The stage connects anew and goes on from what is held, after a wait that grows and is drawn at random.',
    when: 'A reader, load, stream processor or writer meets an error that heals: an end that cannot be reached, a lock, a full disk.',
    off: 'The pair, or with a reader every pair of its source, fails with HEALING_SWITCHED_OFF until somebody resumes it.',
  },
  restart_stuck_stage: {
    what: 'The stage is stopped and started again, each time given twice as long; after three times without any progress the pair fails.',
    when: 'A reader, load, stream processor or writer has work, gets nothing done for STUCK_AFTER_SECONDS, and the other end does nothing for it either.',
    off: 'It is left as it is, and told: the pair shows STAGE_STUCK.',
  },
  give_up_silent_connection: {
    what: 'The connection is closed; the stage goes on with another one.',
    when: 'A connection of a reader or writer is silent, and the server says that it waits for us, that it has ended the session, or nothing at all.',
    off: 'The connection is waited for, until the operating system gives it up or the stage counts as stuck.',
  },
  end_left_behind_sessions: {
    what: 'The sessions are ended, so that what they have locked is free.',
    when: 'A process that had the work before has left sessions of its name in a transaction at the target.',
    off: 'What they have locked is waited for, until they end or somebody ends them.',
  },
  quarantine_refused_change: {
    what: 'The batch is repeated change by change; the change that still fails becomes a dead letter, and the pair goes on.',
    when: 'The target refuses a change of a stream for good: a constraint, a value that it cannot hold.',
    off: 'The pair fails with HEALING_SWITCHED_OFF at that change, and goes on with it once it is resumed.',
  },
  restart_sync_service: {
    what: 'The gateway kills it if need be, and starts it again after a wait that grows.',
    when: 'The sync-service that the gateway has started ends by itself, or does not answer.',
    off: 'It is left as it is until this is switched on again; nothing is replicated meanwhile.',
  },
  take_over_work: {
    what: 'The work is taken over, from what bus and target hold.',
    when: 'The process that did it is gone, and its lease is free or has run out.',
    fixed: 'Work that nobody does is what it is there to prevent; a lease says whose it is.',
  },
  keep_reading: {
    what: "The source is read on into the bus, within the bus's disk budget (BUS_MAX_BYTES).",
    when: 'A writer has lost its target.',
    fixed: "The source's disk would fill instead.",
  },
  follow_failover: {
    what: 'Reading goes on at the new primary, after the last position that is held.',
    when: 'A source has failed over, and our slot has come along.',
    fixed: 'Slot and history were looked at: it is the same stream.',
  },
} as const satisfies Readonly<Record<string, HealingRule>>;

export type HealingAction = keyof typeof healingRules;
export const healingActions = Object.keys(healingRules) as [HealingAction, ...HealingAction[]];
export const healingRule = (action: HealingAction): HealingRule => healingRules[action];
export const canSwitchOff = (action: HealingAction): boolean => healingRule(action).off !== undefined;

/** What was done about what. */
export interface HealingNote {
  /** The pair, source or process, as people call it. */
  readonly subject: string;
  /** An error's code where there was one. */
  readonly code?: string | undefined;
  readonly message: string;
}

/** What whoever heals asks, and tells. Both are for the hot path: nothing is waited for, nothing is thrown. */
export interface Healing {
  /** Whether it is to be done, as of the last look at the switches. */
  isOn(action: HealingAction): boolean;
  /** It was done: counted, and noted for the trail. */
  done(action: HealingAction, note: HealingNote): void;
}

/** Everything is on, and nobody counts: for tests and tools. */
export const silentHealing: Healing = { isOn: () => true, done: () => undefined };
