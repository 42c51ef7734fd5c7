import type { ConnectorContext } from '#connectors/contract/context.ts';
import { BlockReader } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { translateError } from '../errors.ts';
import type { PostgresSettings } from '../settings.ts';
import { ensureBookkeeping } from './bookkeeping.ts';
import { reasonOf, rowFailure } from './failures.ts';
import type { Pipeline } from './pipeline.ts';
import { PlanBook } from './plan-book.ts';
import { openPipeline, type TargetOptions } from './session.ts';
import { SetApplier } from './set-apply.ts';
import { isPostgresError } from '../errors.ts';

/** Writes the rows of a block as upserts, all or none, without a position. See `Target.upsert`. */
export async function upsertBlock(
  settings: PostgresSettings,
  block: Buffer,
  context: ConnectorContext,
  options: TargetOptions,
): Promise<void> {
  try {
    await using session = await openPipeline(settings, context, options, 'mend', ensureBookkeeping);
    await write(session.pipeline, BlockReader.open(block));
  } catch (cause) {
    context.signal.throwIfAborted();
    const refused = rowFailure(cause);
    if (refused !== undefined && isPostgresError(cause))
      throw new TerraFusionError(refused, `The target refuses the row: ${reasonOf(cause)}`, { cause });
    throw translateError(cause, 'target', 'Could not write mended rows to the target');
  }
}

async function write(pipeline: Pipeline, reader: BlockReader): Promise<void> {
  const book = new PlanBook(pipeline);
  const plans = await book.resolve(reader.header.tables);
  pipeline.run('BEGIN');
  new SetApplier(pipeline, book, false).apply([{ reader, plans }], { until: 0n, tables: new Map() });
  pipeline.run('COMMIT');
  const { error } = await pipeline.sync();
  if (error) throw error;
}
