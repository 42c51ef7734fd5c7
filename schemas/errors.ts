/**
 * The one table of errors: identity, whether it heals by itself, HTTP status, what to do.
 * Retry policy, REST reply, dashboard text and runbook index read the same row, so they cannot disagree.
 */
export interface ErrorKind {
  /** True: retried with back-off. False: the pair halts, or the caller is told, until somebody acts. */
  readonly heals: boolean;
  /** HTTP status when it leaves through the gateway. */
  readonly status: number;
  /** What an operator can do, in words he can follow. */
  readonly fix: string;
}

const table = {
  INTERNAL: {
    heals: true,
    status: 500,
    fix: 'This is a defect. Send the log lines with this request id or pair to the developers.',
  },
  CONFIG_INVALID: {
    heals: false,
    status: 500,
    fix: 'Correct the named variables and start again; `terrafusion config check` shows the effective settings.',
  },
  REQUEST_INVALID: { heals: false, status: 400, fix: 'Correct the named fields and send the request again.' },
  REQUEST_NOT_JSON: {
    heals: false,
    status: 400,
    fix: 'Send a JSON body with the header Content-Type: application/json.',
  },
  METHOD_NOT_ALLOWED: {
    heals: false,
    status: 405,
    fix: 'Use one of the methods that the header Allow names; /docs says what each does.',
  },
  REQUEST_TOO_LARGE: { heals: false, status: 413, fix: 'Send a smaller body.' },
  UNAUTHENTICATED: { heals: false, status: 401, fix: 'Send a valid key in the X-API-Key header or as a bearer token.' },
  FORBIDDEN: { heals: false, status: 403, fix: 'Use a key with the role, or for the systems, that the message names.' },
  CSRF_REFUSED: {
    heals: false,
    status: 403,
    fix: 'Send the csrf_token of GET /api/session in the header X-CSRF-Token, from a page of this gateway; programs use a key in X-API-Key.',
  },
  NOT_FOUND: { heals: false, status: 404, fix: 'Check the id; the list endpoint shows what exists.' },
  CONFLICTING_STATE: { heals: false, status: 409, fix: 'Read the current state and decide again.' },
  LOCKED_OUT: {
    heals: true,
    status: 429,
    fix: 'Wait as long as the Retry-After header says, then use the right key. Each further wrong one makes the wait longer.',
  },
  RATE_LIMITED: { heals: true, status: 429, fix: 'Wait as long as the Retry-After header says.' },
  FENCE_TIMEOUT: {
    heals: true,
    status: 504,
    fix: 'The pair is behind or not running: look at its state and lag, then try again with a longer timeout_s.',
  },
  SERVICE_UNAVAILABLE: {
    heals: true,
    status: 503,
    fix: 'The named component is down and is being restarted; try again in a few seconds.',
  },
  GATEWAY_UNREACHABLE: {
    heals: true,
    status: 503,
    fix: 'Start a gateway with `terrafusion up`, or name the right one with --url or TERRAFUSION_URL.',
  },
  APPLY_FILE_INVALID: {
    heals: false,
    status: 422,
    fix: 'Correct the named places of the file; `terrafusion schema` prints what it may hold.',
  },
  OPERATION_TIMEOUT: {
    heals: true,
    status: 504,
    fix: 'The operation goes on: `terrafusion operations follow <id>` waits for it again, with a longer --timeout if need be.',
  },

  CONTROL_DATABASE_UNREACHABLE: {
    heals: true,
    status: 503,
    fix: 'Check that the control database runs and that DATABASE_URL is right.',
  },
  CONTROL_DATABASE_LOGIN_FAILED: {
    heals: false,
    status: 503,
    fix: 'Check user, password and database name in DATABASE_URL.',
  },
  CONTROL_DATABASE_VERSION: {
    heals: false,
    status: 503,
    fix: 'The control database was migrated by a newer or an altered version. Run at least that version, or restore a backup that belongs to this one.',
  },
  MASTER_KEY_WRONG: {
    heals: false,
    status: 503,
    fix: 'Give TERRAFUSION_MASTER_KEY, or the key file in the data folder, the value that the secrets were stored with, or name that one in TERRAFUSION_MASTER_KEY_PREVIOUS to change over; or enter the secrets of the systems anew.',
  },
  DATA_FOLDER_UNUSABLE: {
    heals: false,
    status: 500,
    fix: 'Give TERRAFUSION_DATA a folder this user may write, or move the broken one away.',
  },
  PORT_IN_USE: {
    heals: false,
    status: 500,
    fix: 'Stop the program that holds the port, or set another one with the named variable.',
  },

  BUS_UNREACHABLE: {
    heals: true,
    status: 503,
    fix: 'Check that the brokers of KAFKA_BROKERS run and can be reached from here.',
  },
  BUS_FULL: {
    heals: true,
    status: 507,
    fix: 'Bring the slow or paused pair back, delete it, or raise BUS_MAX_BYTES. Reading goes on by itself once there is room.',
  },
  BUS_BLOCK_TOO_LARGE: {
    heals: false,
    status: 500,
    fix: 'Raise max.message.bytes of the topic and message.max.bytes of the broker above the size in the message.',
  },
  BUS_LOGIN_FAILED: {
    heals: false,
    status: 503,
    fix: 'Check user, password, mechanism and ACLs at the brokers: topics are created, described, read, written and truncated.',
  },
  BUS_TOPIC_MISSING: {
    heals: true,
    status: 503,
    fix: 'The topic was deleted, or not made yet. Whoever writes it makes it when it starts; pairs that then miss changes say so.',
  },
  BUS_OFFSET_LOST: {
    heals: false,
    status: 409,
    fix: 'The topic is shorter than what was read from it before: it was made anew, or its storage lost data. Resync the pairs that read it.',
  },
  BLOCK_CORRUPT: {
    heals: false,
    status: 500,
    fix: 'The stored block cannot be read. Keep the data folder for the developers and resync the pair.',
  },
  BLOCK_VERSION_UNKNOWN: {
    heals: false,
    status: 500,
    fix: 'The block was written by a newer version. Run at least that version.',
  },

  SOURCE_UNREACHABLE: {
    heals: true,
    status: 502,
    fix: 'Check host, port, firewall and that the source database runs. Use the direct port, not a connection pooler.',
  },
  SOURCE_LOGIN_FAILED: {
    heals: false,
    status: 422,
    fix: 'Check user, password and pg_hba.conf of the source for this host.',
  },
  SOURCE_DATABASE_MISSING: {
    heals: false,
    status: 422,
    fix: 'Check the database name in the connection URL of the source.',
  },
  SOURCE_WAL_LEVEL: { heals: false, status: 422, fix: 'Set wal_level = logical at the source and restart it.' },
  SOURCE_ENCODING: {
    heals: false,
    status: 422,
    fix: 'Use a source database in an encoding that has the characters of the message, best UTF8. SQL_ASCII has none: it says nothing about what its bytes mean.',
  },
  SOURCE_NO_PRIVILEGE: {
    heals: false,
    status: 422,
    fix: 'Give the role what the message names, for example: ALTER ROLE … REPLICATION; GRANT SELECT ON … TO ….',
  },
  SOURCE_TABLE_MISSING: {
    heals: false,
    status: 422,
    fix: 'Check schema and table name, upper and lower case included.',
  },
  SOURCE_COLUMN_MISSING: { heals: false, status: 422, fix: 'Check the column name, upper and lower case included.' },
  SOURCE_TABLE_WITHOUT_KEY: {
    heals: false,
    status: 422,
    fix: 'Add a primary key, or choose an identity: ALTER TABLE … REPLICA IDENTITY USING INDEX … (or FULL). Without one the source itself would refuse updates and deletes.',
  },
  SOURCE_SLOTS_EXHAUSTED: {
    heals: true,
    status: 503,
    fix: 'Raise max_replication_slots or max_wal_senders at the source, or drop slots that nobody uses.',
  },
  SOURCE_SLOT_IN_USE: {
    heals: true,
    status: 503,
    fix: 'Another reader holds the slot; it is taken over as soon as that one ends. Look for a second installation that uses the same source.',
  },
  SOURCE_SLOT_BLOCKED: {
    heals: true,
    status: 503,
    fix: 'A transaction that was open before must end first; the message names its process. End it, or wait.',
  },
  SOURCE_SLOT_MISSING: {
    heals: false,
    status: 409,
    fix: 'The replication slot is gone and with it the changes since. Resync the pairs of this source. So that a failover does not cost that, have the standby synchronise slots (17+: sync_replication_slots).',
  },
  SOURCE_IDENTITY_CHANGED: {
    heals: false,
    status: 409,
    fix: 'The system leads to another server than the one its changes came from: correct its connection and resume. Is it meant, resync the pairs of this source.',
  },
  SOURCE_IS_STANDBY: {
    heals: true,
    status: 503,
    fix: 'Promote the standby, or have the system lead to the primary: publications and heartbeats cannot be made on a standby. It goes on by itself then.',
  },
  SOURCE_HISTORY_LOST: {
    heals: false,
    status: 409,
    fix: 'The source no longer holds the changes after our position. Resync the pairs of this source, and raise max_slot_wal_keep_size.',
  },
  SOURCE_WAL_NEAR_BUDGET: {
    heals: true,
    status: 503,
    fix: 'See what keeps the slot back before the budget is used up: a reader that is down, a full bus (a slow or paused pair), or a transaction left open at the source.',
  },
  SOURCE_WAL_OVER_BUDGET: {
    heals: true,
    status: 503,
    fix: 'Bring reading back, or end what keeps the slot back; raise the source\'s wal_budget_bytes only if its disk can spare it. With on_wal_budget "drop_slot" the slot is given up instead, at the price of a resync.',
  },
  SOURCE_SLOT_GIVEN_UP: {
    heals: false,
    status: 409,
    fix: "The slot was given up to save the source's disk, as on_wal_budget says. Remove what held it back, then resync the pairs of this source.",
  },
  SOURCE_PROTOCOL: {
    heals: true,
    status: 502,
    fix: 'The source sent what the replication protocol does not allow. If it comes again, send the log to the developers.',
  },
  SOURCE_DISCONNECTED: {
    heals: true,
    status: 502,
    fix: 'The connection to the source broke; it is opened again by itself.',
  },
  SOURCE_BUSY: {
    heals: true,
    status: 503,
    fix: 'A lock, deadlock or serialization failure at the source; it is tried again by itself.',
  },
  SOURCE_RESOURCES: {
    heals: true,
    status: 503,
    fix: 'The source is out of disk, memory or connections. It is tried again.',
  },
  SOURCE_STATEMENT_FAILED: {
    heals: true,
    status: 502,
    fix: 'The source refused a statement for the reason in the message. Correct it there; it is tried again.',
  },
  SOURCE_SNAPSHOT_BLOCKED: {
    heals: true,
    status: 503,
    fix: 'A transaction that was open before must end first; the message names its process. End it, or wait.',
  },

  TARGET_UNREACHABLE: {
    heals: true,
    status: 502,
    fix: 'Check host, port, firewall and that the target database runs. Changes wait in the topic meanwhile.',
  },
  TARGET_LOGIN_FAILED: {
    heals: false,
    status: 422,
    fix: 'Check user, password and pg_hba.conf of the target for this host.',
  },
  TARGET_DATABASE_MISSING: {
    heals: false,
    status: 422,
    fix: 'Check the database name in the connection URL of the target.',
  },
  TARGET_NO_PRIVILEGE: {
    heals: false,
    status: 422,
    fix: 'Give the role what the message names, for example: GRANT CREATE ON DATABASE …; GRANT INSERT, UPDATE, DELETE, SELECT ON … TO ….',
  },
  TARGET_TABLE_MISSING: {
    heals: false,
    status: 422,
    fix: 'Create the table at the target, or set config.create_tables to true and resync.',
  },
  TARGET_COLUMN_MISSING: {
    heals: false,
    status: 422,
    fix: 'Add the column at the target, or leave it out of the mapping. Was it dropped there, its values are gone: resync the pair.',
  },
  TARGET_TABLE_NOT_EMPTY: {
    heals: false,
    status: 409,
    fix: 'Empty the target table, or set config.existing_rows to "replace" to have its rows replaced by the source\'s.',
  },
  TARGET_ENCODING: {
    heals: false,
    status: 422,
    fix: 'Use a target database in an encoding that has the characters of the message, best UTF8. SQL_ASCII has none: its lengths and padding count bytes, so texts would change.',
  },
  TARGET_TYPE_MISSING: {
    heals: false,
    status: 422,
    fix: 'Create the type (or extension) at the target, or map the column to a type that exists there.',
  },
  TARGET_BUSY: {
    heals: true,
    status: 503,
    fix: 'A lock, deadlock or serialization failure at the target; the batch is repeated by itself.',
  },
  TARGET_CONSTRAINT: {
    heals: true,
    status: 422,
    fix: 'The batch is repeated change by change; what still fails is a dead letter with its reason.',
  },
  TARGET_CONFLICT: {
    heals: false,
    status: 409,
    fix: 'The target already holds, or no longer holds, this row: somebody else writes there. See the dead letter for the row.',
  },
  TARGET_ROW_REJECTED: {
    heals: false,
    status: 422,
    fix: 'The target refuses the value; see the dead letter for the row and the reason, mend it there and replay.',
  },
  TARGET_RESOURCES: {
    heals: true,
    status: 503,
    fix: 'The target is out of disk, memory or connections, or is shutting down. It is tried again.',
  },
  TARGET_READ_ONLY: {
    heals: true,
    status: 503,
    fix: 'The target takes no writes at present: it is a standby, or default_transaction_read_only is on for server, database or role. Have the system lead to the primary, or switch it off; the pair goes on by itself then.',
  },
  TARGET_FENCED: {
    heals: true,
    status: 409,
    fix: 'Another writer of this pair has written in the meantime; this one starts again from what the target holds.',
  },
  TARGET_STATEMENT_FAILED: {
    heals: false,
    status: 500,
    fix: 'The target refused a statement for the reason in the message. Correct it there and resume the pair.',
  },

  PAIR_NOT_LOADED: {
    heals: false,
    status: 409,
    fix: 'Run a full operation first; after it, incremental ones bring what is new.',
  },
  SCHEMA_CHANGE_NEEDS_APPROVAL: {
    heals: false,
    status: 409,
    fix: 'Look at the statements in `schema_change` of the pair; POST /api/sync-pairs/<id>/approve has them run and the stream goes on. Changes wait in the topic meanwhile.',
  },
  SCHEMA_CHANGE_IMPOSSIBLE: {
    heals: false,
    status: 409,
    fix: 'Something at the target is in the way of what the source has changed: move it away, then resume the pair.',
  },
  SOURCE_TABLE_CHANGED: {
    heals: true,
    status: 409,
    fix: 'A table was altered while it was being loaded; the load begins again by itself.',
  },
  PAIR_TABLE_GONE: {
    heals: false,
    status: 422,
    fix: "A table that the pair names was renamed, moved or dropped at the source. Name it as it is called now in the pair's tables (with its target table), or take it out; then resume the pair.",
  },
  TABLE_SYNC_WAITS: {
    heals: true,
    status: 409,
    fix: 'Another sync of one of these tables has to end first; this one goes on by itself then.',
  },
  TABLE_LEFT_OUT: {
    heals: false,
    status: 409,
    fix: 'The named tables are not kept in step, what the target holds of them is incomplete. Resync them (POST …/resync with their names), or take them out of the pair.',
  },
  PAIR_INVALID: { heals: false, status: 422, fix: 'Correct the named fields of the pair.' },
  PAIR_EXPRESSION_INVALID: {
    heals: false,
    status: 422,
    fix: 'Correct the expression; the message shows where it goes wrong.',
  },
  PAIR_HISTORY_LOST: {
    heals: false,
    status: 409,
    fix: 'The topic no longer holds the changes after what the target has. Resync the pair.',
  },
  PAIR_ROW_INVALID: {
    heals: false,
    status: 422,
    fix: 'Correct the row, or the rule or mapping that refuses it. Then replay its dead letter; a pair that was halted by it is resumed.',
  },
  PAIR_REMOVAL_WAITS: {
    heals: true,
    status: 503,
    fix: 'What the deleted pair has left is removed as soon as this works; it is tried again by itself. Is the system gone for good, DELETE /api/sync-pairs/<id>?force=true leaves there what cannot be reached.',
  },
  STAGE_STUCK: {
    heals: true,
    status: 503,
    fix: 'A stage had work and got nothing done; it is started again by itself, unless that is switched off (GET /api/self-healing): then pause and resume the pair. Comes it again, send its log to the developers.',
  },
  STAGE_STAYS_STUCK: {
    heals: false,
    status: 503,
    fix: 'Starting the stage again did not help. See in the log, and at the end that the message names, what it waits for; then resume the pair. Starting the sync-service again may help: nothing is lost by it.',
  },
  HEALING_SWITCHED_OFF: {
    heals: false,
    status: 503,
    fix: 'Remove the cause in the message, then resume the pair; or switch on what the message names (`terrafusion self-healing on <action>`), then resume the pair.',
  },
  LEASE_LOST: { heals: true, status: 503, fix: 'Another process has taken over this work. Nothing to do.' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof table;

/** The table, by code. */
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = table;

export interface TerraFusionErrorOptions {
  readonly cause?: unknown;
  /** Facts for programs (names, numbers); never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The only error that crosses a folder's border: foreign errors are translated where they enter, with their cause kept. */
export class TerraFusionError extends Error {
  override readonly name = 'TerraFusionError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: TerraFusionErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get heals(): boolean {
    return errorKinds[this.code].heals;
  }

  get fix(): string {
    return errorKinds[this.code].fix;
  }
}

/** What went wrong, in our words: ours as it is, anything else as INTERNAL with its cause. */
export function asTerraFusionError(error: unknown): TerraFusionError {
  if (error instanceof TerraFusionError) return error;
  return new TerraFusionError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}
