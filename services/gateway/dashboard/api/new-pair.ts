import type { PairPreviewReply } from '#schemas/http/pair-preview.ts';
import type { PairCheckReport, PairView } from '#schemas/http/pairs.ts';
import type { SystemTablesPage } from '#schemas/http/system-tables.ts';
import { get, post, type AskOptions } from '../app/client.ts';
import { pathOf, withQuery } from '../app/paths.ts';

export interface TableFilter {
  readonly schema?: string | undefined;
  readonly text?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number;
}

export const listSystemTables = (
  system: string,
  filter: TableFilter,
  options?: AskOptions,
): Promise<SystemTablesPage> =>
  get(withQuery(pathOf('/api/systems/:system/tables', { system }), { ...filter }), options);

export interface PreviewWanted {
  readonly source: string;
  /** As the API takes a table of a pair. */
  readonly table: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly limit: number;
}

export const previewTable = (
  { source, table, config, limit }: PreviewWanted,
  options?: AskOptions,
): Promise<PairPreviewReply> =>
  post(
    '/api/sync-pairs/preview',
    { pair: { source, tables: [table], config }, table: table['source'], limit },
    options,
  );

/** Both ends are looked at, and values are tried. */
const CHECK_WITHIN = 120_000;

export const checkPair = (pair: object, options?: AskOptions): Promise<PairCheckReport> =>
  post('/api/sync-pairs/check', pair, { within: CHECK_WITHIN, ...options });

export const makePair = (pair: object): Promise<PairView> => post('/api/sync-pairs', pair, { within: CHECK_WITHIN });
