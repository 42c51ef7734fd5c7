import { jobView } from '#schemas/http/jobs.ts';
import { operationsPage, operationView, type OperationView } from '#schemas/http/operations.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { count, duration, facts, json, moment, table, type Terminal } from '../output.ts';
import { follow, type FollowOptions } from './follow.ts';
import { allPages, pathOf, type Filters } from './pages.ts';

const LIST = '/api/sync-operations';

export interface OperationsOptions {
  /** pair, type, state, since, until */
  readonly filters?: Filters;
  /** How many, the latest first. */
  readonly limit: number;
}

/** `terrafusion operations`: the latest runs. */
export async function operations(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { filters = {}, limit }: OperationsOptions,
): Promise<number> {
  const items = await allPages(client, LIST, operationsPage, filters, limit);
  terminal.out(asJson ? json(items) : items.length === 0 ? 'Nothing has run yet.\n' : operationTable(items, terminal));
  return exitCodes.OK;
}

/** `terrafusion operations show` */
export async function showOperation(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  id: string,
): Promise<number> {
  const operation = await client.get(pathOf(LIST, id), operationView);
  terminal.out(asJson ? json(operation) : operationText(operation));
  return exitCodes.OK;
}

/** `terrafusion operations follow` */
export async function followOperation(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  id: string,
  options: FollowOptions,
): Promise<number> {
  return await follow(client, terminal, asJson, await client.get(pathOf(LIST, id), operationView), options);
}

/** `terrafusion operations stop`, `resume`, `cancel` */
export async function steerOperation(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { id, verb }: { readonly id: string; readonly verb: 'stop' | 'resume' | 'cancel' },
): Promise<number> {
  if (verb === 'cancel') await client.send('POST', pathOf(LIST, id, 'cancel'), undefined, operationView);
  else await client.send('POST', pathOf('/api/sync', verb, id), undefined, jobView);
  // Asked to end is not ended: what is told is what the gateway says now. (Promise 9)
  const after = await client.get(pathOf(LIST, id), operationView);
  terminal.out(asJson ? json(after) : `Operation ${after.id} of ${after.pair.name} is ${after.state}.\n`);
  return exitCodes.OK;
}

const changesOf = ({ counts }: OperationView): number => counts.inserted + counts.updated + counts.deleted;

export function operationTable(items: readonly OperationView[], terminal: Terminal): string {
  return table(
    items,
    [
      { title: 'BEGUN', value: ({ started_at, created_at }) => moment(started_at ?? created_at) },
      { title: 'PAIR', value: ({ pair }) => pair.name, flexible: true },
      { title: 'TYPE', value: ({ type }) => type },
      { title: 'STATE', value: ({ state }) => state, colour: ({ state }) => colours[state] },
      { title: 'TOOK', value: (operation) => duration(seconds(operation)), right: true },
      { title: 'ROWS', value: ({ counts }) => count(counts.rows_copied), right: true },
      { title: 'CHANGES', value: (operation) => count(changesOf(operation)), right: true },
      { title: 'DEAD LETTERS', value: ({ counts }) => count(counts.dead_letters), right: true },
      { title: 'ID', value: ({ id }) => id },
      { title: '', value: ({ error }) => (error === null ? '' : `${error.code}: ${error.message}`), flexible: true },
    ],
    terminal,
  );
}

const colours = {
  pending: 'gray',
  running: 'cyan',
  stopping: 'yellow',
  stopped: 'yellow',
  completed: 'green',
  failed: 'red',
  cancelled: 'gray',
} as const;

function operationText(operation: OperationView): string {
  const { counts, error, progress } = operation;
  const total = progress['rows_total'];
  return facts([
    ['operation', operation.id],
    ['pair', operation.pair.name],
    ['type', operation.type],
    ['state', operation.state],
    ['asked for by', operation.started_by],
    ['asked for', moment(operation.created_at)],
    ['begun', moment(operation.started_at)],
    ['ended', moment(operation.finished_at)],
    ['took', duration(seconds(operation))],
    ['rows', `${count(counts.rows_copied)}${typeof total === 'number' ? ` of about ${count(total)}` : ''}`],
    [
      'changes',
      `${count(counts.inserted)} inserted, ${count(counts.updated)} updated, ${count(counts.deleted)} deleted`,
    ],
    ['dead letters', count(counts.dead_letters)],
    ['error', error === null ? undefined : `${error.code}: ${error.message}`],
    ['what to do', error?.fix],
  ]);
}

function seconds({ started_at, finished_at }: OperationView): number | null {
  return started_at === null || finished_at === null ? null : (Date.parse(finished_at) - Date.parse(started_at)) / 1000;
}
