import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { WorkEnvironment } from './environment.ts';
import type { SupervisedPair, TableSync, TableSyncChange } from './ports.ts';

/** One table sync at work, and what it works with. */
export interface SyncAtWork {
  readonly pair: SupervisedPair;
  readonly sync: TableSync;
  /** Under which the target holds its position. */
  readonly key: string;
  readonly source: Source;
  readonly target: Target;
  readonly env: WorkEnvironment;
  readonly context: ConnectorContext;
}

/** @throws {TerraFusionError} LEASE_LOST when the sync is not wanted any more */
export async function noted(work: SyncAtWork, change: TableSyncChange): Promise<SyncAtWork> {
  const { pair, sync, env } = work;
  if (!(await env.control.recordSync(pair.id, sync.number, change))) {
    throw new TerraFusionError('LEASE_LOST', `Table sync ${sync.number} of pair ${pair.name} was ended meanwhile`);
  }
  return { ...work, sync: { ...sync, ...change } };
}
