import type { Database, Queryable } from '#services/kernel/database/index.ts';
import type { SecretBox } from '#services/kernel/secrets.ts';
import { AlertDeliveries } from './alert-deliveries.ts';
import { Alerts } from './alerts.ts';
import { ApiKeys } from './api-keys.ts';
import { AuditTrail } from './audit.ts';
import { Components } from './components.ts';
import { DeadLetters } from './dead-letters.ts';
import { HealingActions } from './healing-actions.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { MetricHistory } from './metric-history.ts';
import { PairRuns } from './pair-runs.ts';
import { PairTables } from './pair-tables.ts';
import { PairSchemas } from './pair-schemas.ts';
import { Progress } from './progress.ts';
import type { Scope } from './scope.ts';
import { SchemaChanges } from './schema-changes.ts';
import { Sessions } from './sessions.ts';
import { SourceCatalogs } from './source-catalogs.ts';
import { SourceGenerations } from './source-generations.ts';
import { SourceSlots } from './source-slots.ts';
import { SourceStatuses } from './source-status.ts';
import { SyncOperations } from './sync-operations.ts';
import { SyncPairs } from './sync-pairs.ts';
import { Systems } from './systems.ts';
import { TableSyncs } from './table-syncs.ts';

/** The control database in the words of the domain: over the database itself, or within a transaction. */
export interface Repositories {
  readonly systems: Systems;
  readonly pairs: SyncPairs;
  readonly runs: PairRuns;
  readonly tables: PairTables;
  readonly schemas: PairSchemas;
  readonly tableSyncs: TableSyncs;
  readonly progress: Progress;
  readonly operations: SyncOperations;
  readonly generations: SourceGenerations;
  readonly sourceCatalogs: SourceCatalogs;
  readonly sourceSlots: SourceSlots;
  readonly sourceStatuses: SourceStatuses;
  readonly deadLetters: DeadLetters;
  readonly schemaChanges: SchemaChanges;
  readonly alerts: Alerts;
  readonly alertDeliveries: AlertDeliveries;
  readonly apiKeys: ApiKeys;
  readonly healing: HealingActions;
  readonly sessions: Sessions;
  readonly idempotency: IdempotencyKeys;
  readonly components: Components;
  readonly metricHistory: MetricHistory;
  readonly audit: AuditTrail;
}

export interface Control extends Repositories {
  readonly database: Database;
  /** All that is done through the repositories handed to `work` happens, or none of it; see `Database.transaction`. */
  transaction<T>(work: (transaction: Repositories) => Promise<T>): Promise<T>;
  /** The same for somebody who is limited to some systems: what is not within is not there for him. */
  within(scope: Scope): Control;
}

export function openControl(database: Database, secrets: SecretBox, scope: Scope = null): Control {
  const control: Control = {
    database,
    ...repositories(database, secrets, scope),
    transaction: (work) => database.transaction((transaction) => work(repositories(transaction, secrets, scope))),
    within: (limits) => (limits === null ? control : openControl(database, secrets, limits)),
  };
  return control;
}

function repositories(db: Queryable, secrets: SecretBox, scope: Scope): Repositories {
  return {
    systems: new Systems(db, secrets, scope),
    pairs: new SyncPairs(db, scope),
    runs: new PairRuns(db),
    tables: new PairTables(db),
    schemas: new PairSchemas(db),
    tableSyncs: new TableSyncs(db),
    progress: new Progress(db, scope),
    operations: new SyncOperations(db, scope),
    generations: new SourceGenerations(db),
    sourceCatalogs: new SourceCatalogs(db),
    sourceSlots: new SourceSlots(db, scope),
    sourceStatuses: new SourceStatuses(db, scope),
    deadLetters: new DeadLetters(db, scope),
    schemaChanges: new SchemaChanges(db),
    alerts: new Alerts(db, scope),
    alertDeliveries: new AlertDeliveries(db),
    apiKeys: new ApiKeys(db),
    healing: new HealingActions(db),
    sessions: new Sessions(db),
    idempotency: new IdempotencyKeys(db, secrets),
    components: new Components(db),
    metricHistory: new MetricHistory(db, scope),
    audit: new AuditTrail(db, secrets, scope),
  };
}
