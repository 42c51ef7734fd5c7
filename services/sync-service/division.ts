import type { Applied, DivideRequest, Division } from '#connectors/contract/target.ts';
import { withoutTables, type LeftOut } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { BusBlock } from '#services/kernel/bus/port.ts';
import type { SupervisedPair, TableSync } from './ports.ts';

/**
 * What a pair's stream asks of its target before it writes, and what a table sync asks for its tables.
 *
 * Tables that a version of the definition adds or brings in another way leave the stream with that version, by whoever comes first:
 * no stream of it writes to them before their sync has.
 */
export function divideRequest({ definition, syncs }: SupervisedPair, own?: TableSync): DivideRequest {
  return {
    version: definition.version,
    apart: own ? [{ sync: own.number, tables: own.tables }] : [],
    withVersion: syncs
      .filter(({ kind, number }) => kind !== 'resync' && number !== own?.number)
      .map(({ number, tables }) => ({ sync: number, tables })),
  };
}

/** @throws {TerraFusionError} TARGET_FENCED when a newer version of the definition writes there: this work is about to be replaced */
export function assertNotOvertaken(division: Division | undefined, { definition, name }: SupervisedPair): void {
  if (division === undefined || division.version <= definition.version) return;
  throw new TerraFusionError(
    'TARGET_FENCED',
    `Version ${division.version} of pair ${name} writes to the target; this is version ${definition.version}`,
  );
}

/**
 * The blocks without the changes of tables that go apart, and of those that have joined again without what their sync has brought.
 * @param end by which name they are known in these blocks: source before the chain, target after it
 */
export async function* withoutApart(
  blocks: AsyncIterable<BusBlock>,
  division: Division | undefined,
  end: 'source' | 'target',
): AsyncIterable<BusBlock> {
  const parts = new Map<string, LeftOut>();
  for (const { tables, until } of division?.apart ?? [])
    for (const table of tables) parts.set(formatTableName(table[end]), until ?? 'all');
  for await (const block of blocks) {
    yield parts.size === 0
      ? block
      : { ...block, bytes: withoutTables(block.bytes, (table) => parts.get(formatTableName(table))) };
  }
}

/** From where a ready topic is kept: tables that go apart may have to come back to where they left. */
export function keptFrom({ topic, nextOffset }: Applied, division: Division | undefined): bigint {
  return (division?.apart ?? [])
    .filter(({ until, from }) => until === undefined && from.topic === topic)
    .reduce((least, { from }) => (from.nextOffset < least ? from.nextOffset : least), nextOffset);
}
