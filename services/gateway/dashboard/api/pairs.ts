import type { OperationView } from '#schemas/http/operations.ts';
import type { CutoverReply, PairSchemaView } from '#schemas/http/pair-schema.ts';
import type { PairCheckReport, PairPatch, PairSummary, PairTableView, PairView } from '#schemas/http/pairs.ts';
import type { SchemaChangeView } from '#schemas/http/schema-changes.ts';
import { get, patch, post, remove, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { pathOf, withQuery } from '../app/paths.ts';

const one = (pair: string): string => pathOf('/api/sync-pairs/:pair', { pair });

export const readPair = (pair: string, options?: AskOptions): Promise<PairView> => get(one(pair), options);

export const readTables = (
  pair: string,
  page: { readonly cursor?: string | undefined; readonly limit?: number },
  options?: AskOptions,
): Promise<ListPage<PairTableView>> => get(withQuery(`${one(pair)}/tables`, page), options);

export const readSchema = (pair: string, options?: AskOptions): Promise<PairSchemaView> =>
  get(`${one(pair)}/schema`, options);

export const listSchemaChanges = (
  pair: string,
  cursor: string | undefined,
  options?: AskOptions,
): Promise<ListPage<SchemaChangeView>> => get(withQuery(`${one(pair)}/schema-changes`, { cursor }), options);

/** What a PATCH takes: as it is written, before the gateway fills in what was left out. */
export type PairChange = Omit<Partial<PairPatch>, 'tables'> & { readonly tables?: readonly object[] | null };

export const changePair = (pair: string, change: PairChange): Promise<PairView> =>
  // Both ends are looked at before anything is changed.
  patch(one(pair), change, { within: 120_000 });

/** The same change, looked at and not made. */
export const checkPairChange = (pair: string, change: PairChange, options?: AskOptions): Promise<PairCheckReport> =>
  post(`${one(pair)}/check`, change, { within: 120_000, ...options });

export const deletePair = (pair: string, force: boolean): Promise<{ id: string; name: string }> =>
  remove(withQuery(one(pair), { force: force || undefined }));

export const startPair = (pair: string): Promise<PairSummary> => post(`${one(pair)}/start`);
export const pausePair = (pair: string): Promise<PairSummary> => post(`${one(pair)}/pause`);
export const resumePair = (pair: string): Promise<PairSummary> => post(`${one(pair)}/resume`);

/** Without tables: all of them. */
export const resyncPair = (pair: string, tables?: readonly string[]): Promise<OperationView> =>
  post(`${one(pair)}/resync`, tables === undefined ? {} : { tables });

export const approveChange = (pair: string, change: string): Promise<PairSummary> =>
  post(`${one(pair)}/approve`, { change });

const WAIT_S = 120;
const waiting: AskOptions = { within: (WAIT_S + 10) * 1000 };

export const fencePair = (pair: string): Promise<{ position: string; waited_ms: number }> =>
  post(withQuery(`${one(pair)}/fence`, { timeout_s: WAIT_S }), undefined, waiting);

export const cutOverPair = (pair: string): Promise<CutoverReply> =>
  post(withQuery(`${one(pair)}/cutover`, { timeout_s: WAIT_S }), undefined, waiting);
