import type { PairConfig } from '#schemas/pairs.ts';
import type { LoadLimits } from '#services/loader/loader.ts';

/** How hard a pair's loads work, as its settings say. */
export function limitsOf(config: PairConfig): LoadLimits {
  const { load_max_rows_per_second: rows, load_max_mb_per_second: megabytes = null } = config;
  return {
    parallelTables: config.max_parallel_tables,
    parallelChunks: config.max_parallel_operations,
    chunkRows: config.load_chunk_rows ?? undefined,
    rowsPerSecond: rows ?? undefined,
    bytesPerSecond: megabytes === null ? undefined : megabytes * 1_000_000,
    window: config.load_window ?? undefined,
  };
}
