import type { Source, SourceBound } from '#connectors/contract/source.ts';
import { asTerraFusionError } from '#schemas/errors.ts';
import type { TableName } from '#schemas/tables.ts';
import type { Look } from './look.ts';

/** Rows of a table that are looked at, at most. */
const MOST_ROWS = 200_000;
/** Longest time for one table, in milliseconds: people wait, and the source has other work. (Promise 7) */
const MOST_MS = 2000;

export type Suspect = SourceBound;

export interface Refused {
  /** For each suspect how many values would be refused; undefined when nobody could look. */
  readonly found: readonly number[] | undefined;
  readonly rows: number;
  /** Why not all rows were looked at. */
  readonly limit: string | undefined;
}

/** Counts the source's values that the target would refuse, within limits that are told. */
export async function countRefused(
  table: TableName,
  suspects: readonly Suspect[],
  source: Source,
  look: Look,
): Promise<Refused> {
  if (!source.countBeyond) return { found: undefined, rows: 0, limit: 'the source cannot count them' };
  try {
    const { rows, complete, found } = await look('source', (context) =>
      source.countBeyond!(table, suspects, { rows: MOST_ROWS, ms: MOST_MS }, context),
    );
    return { found, rows, limit: complete ? undefined : `${MOST_ROWS} at most` };
  } catch (thrown) {
    const { message } = asTerraFusionError(thrown);
    return { found: undefined, rows: 0, limit: `within ${MOST_MS / 1000} seconds at most; ${message}` };
  }
}
