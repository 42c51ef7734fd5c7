import { z } from 'zod';
import { operationView } from '#schemas/http/operations.ts';
import {
  fenceReply,
  pairsPage,
  pairSummary,
  pairView,
  type PairSummary,
  type PairTableView,
  type PairView,
} from '#schemas/http/pairs.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { bytes, count, duration, facts, json, moment, paint, table, type Colour, type Terminal } from '../output.ts';
import { printable } from '../text.ts';
import { confirmedByName } from '../usage.ts';
import { follow, type FollowOptions } from './follow.ts';
import { allPages, pathOf, type Filters } from './pages.ts';

const LIST = '/api/sync-pairs';

/** `terrafusion pairs`: all pairs with their state. */
export async function pairs(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  filters: Filters = {},
): Promise<number> {
  const items = await allPages(client, LIST, pairsPage, filters);
  terminal.out(asJson ? json(items) : items.length === 0 ? 'There are no pairs.\n' : pairTable(items, terminal));
  return exitCodes.OK;
}

/** `terrafusion pairs show` */
export async function showPair(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  idOrName: string,
): Promise<number> {
  const pair = await client.get(pathOf(LIST, idOrName), pairView);
  terminal.out(asJson ? json(pair) : pairText(pair, terminal));
  return exitCodes.OK;
}

/** `terrafusion pairs start`, `pause`, `resume`, `approve`: a wish; what is told is how the pair stands with it. */
export async function steerPair(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { pair, verb }: { readonly pair: string; readonly verb: 'start' | 'pause' | 'resume' | 'approve' },
): Promise<number> {
  const after = await client.send('POST', pathOf(LIST, pair, verb), undefined, pairSummary);
  const wish = after.desired === 'running' ? 'should run' : 'should rest';
  terminal.out(asJson ? json(after) : `${after.name} ${wish}; its state is ${after.state}.\n`);
  return exitCodes.OK;
}

export interface ResyncOptions extends FollowOptions {
  readonly pair: string;
  /** Source tables; all when there are none. */
  readonly tables: readonly string[];
  readonly wait: boolean;
}

/** `terrafusion pairs resync` */
export async function resyncPair(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { pair, tables, wait, timeoutS }: ResyncOptions,
): Promise<number> {
  const body = tables.length === 0 ? {} : { tables };
  const operation = await client.send('POST', pathOf(LIST, pair, 'resync'), body, operationView);
  if (wait) return await follow(client, terminal, asJson, operation, { timeoutS });
  terminal.out(asJson ? json(operation) : `${operation.id}\n`);
  return exitCodes.OK;
}

/** `terrafusion fence`: ends once the target has everything that was committed before the call. */
export async function fence(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { pair, timeoutS }: { readonly pair: string; readonly timeoutS: number },
): Promise<number> {
  const path = `${pathOf(LIST, pair, 'fence')}?timeout_s=${timeoutS}`;
  const reached = await client.wait(path, timeoutS, fenceReply);
  terminal.out(asJson ? json(reached) : `${reached.position}\n`);
  return exitCodes.OK;
}

/** `terrafusion pairs delete` */
export async function deletePair(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { pair, force, yes }: { readonly pair: string; readonly force: boolean; readonly yes: boolean },
): Promise<number> {
  const found = await client.find(pathOf(LIST, pair), pairSummary);
  // Deleted before, it is known by its id only, and only force has anything left to do.
  const name = found?.name ?? pair;
  const question = `The pair ${name} is removed: its slot, its topics and its history of operations with it. Rows at the target stay.`;
  if (!(await confirmedByName(terminal, question, name, yes))) return exitCodes.FAILED;
  const path = `${pathOf(LIST, found?.id ?? pair)}${force ? '?force=true' : ''}`;
  const gone = await client.send('DELETE', path, undefined, z.object({ id: z.string(), name: z.string() }));
  terminal.out(asJson ? json(gone) : `${gone.name} is deleted; what it left is being removed.\n`);
  return exitCodes.OK;
}

const stateColours: Readonly<Record<string, Colour>> = {
  streaming: 'green',
  failed: 'red',
  paused: 'gray',
  created: 'gray',
  loading: 'cyan',
  catching_up: 'cyan',
};

export function pairTable(items: readonly PairSummary[], terminal: Terminal): string {
  const problems = items.flatMap(({ name, error, warning }) =>
    [error, warning].flatMap((each) =>
      each === null
        ? []
        : [
            `${paint(terminal, each === error ? 'red' : 'yellow', `${name}: ${each.code}`)}: ${printable(each.message)}\n  ${printable(each.fix)}\n`,
          ],
    ),
  );
  const list = table(
    items,
    [
      { title: 'PAIR', value: ({ name }) => name, flexible: true },
      {
        title: 'STATE',
        value: ({ state, stale }) => (stale ? `${state} (not running)` : state),
        colour: ({ state, stale }) => (stale ? 'yellow' : stateColours[state]),
      },
      { title: 'SOURCE', value: ({ source }) => source.name, flexible: true },
      { title: 'TARGET', value: ({ target }) => target.name, flexible: true },
      { title: 'CHANGES', value: (pair) => count(pair.changes_applied), right: true },
      { title: 'LAG', value: (pair) => duration(pair.lag_seconds), right: true },
      { title: 'BEHIND', value: (pair) => bytes(pair.lag_bytes), right: true },
      {
        title: 'DEAD LETTERS',
        value: (pair) => count(pair.dead_letters),
        right: true,
        colour: (pair) => (pair.dead_letters > 0 ? 'yellow' : undefined),
      },
      { title: 'POSITION', value: ({ position }) => position ?? '-', flexible: true },
    ],
    terminal,
  );
  return problems.length === 0 ? list : `${list}\n${problems.join('')}`;
}

function pairText(pair: PairView, terminal: Terminal): string {
  const { slot, error, warning, schema_change: change } = pair;
  const parts = [
    facts([
      ['pair', pair.name],
      ['id', pair.id],
      ['state', pair.stale ? `${pair.state} (not running)` : pair.state],
      ['should be', pair.desired],
      ['source', pair.source.name],
      ['target', pair.target.name],
      ['version', String(pair.version)],
      ['position', pair.position ?? '-'],
      ['lag', `${duration(pair.lag_seconds)}, ${bytes(pair.lag_bytes)}`],
      ['changes', count(pair.changes_applied)],
      ['dead letters', count(pair.dead_letters)],
      ['slot', slot === null ? undefined : `${slot.name}, ${slot.state ?? 'not looked at'}`],
      ['WAL kept', slot === null ? undefined : `${bytes(slot.retained_bytes)} of ${bytes(slot.budget_bytes)}`],
      ['made', moment(pair.created_at)],
      ['changed', moment(pair.updated_at)],
      ['error', error === null ? undefined : `${error.code}: ${error.message}`],
      ['what to do', error?.fix],
      ['warning', warning === null ? undefined : `${warning.code}: ${warning.message} ${warning.fix}`],
    ]),
    pair.tables.length === 0 ? '' : tablesTable(pair.tables, terminal),
    change === null
      ? ''
      : `Waits for approval (terrafusion pairs approve ${pair.name}):\n${change.steps
          .map(({ what, sql }) => `  ${printable(what)}\n${sql.map((line) => `    ${printable(line)}\n`).join('')}`)
          .join('')}`,
    pair.warnings.map((each) => `${each.table}: ${printable(each.message)}\n`).join(''),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function tablesTable(tables: readonly PairTableView[], terminal: Terminal): string {
  const list = table(
    tables,
    [
      { title: 'TABLE', value: ({ source }) => source, flexible: true },
      { title: 'TARGET', value: ({ target }) => target, flexible: true },
      { title: 'STATE', value: ({ state }) => state, colour: ({ state }) => stateColours[state] },
      {
        title: 'ROWS',
        value: ({ rows_copied, rows_total }) =>
          rows_total === null || rows_total <= rows_copied
            ? count(rows_copied)
            : `${count(rows_copied)} of about ${count(rows_total)}`,
        right: true,
      },
      { title: 'LEFT', value: ({ seconds_left }) => duration(seconds_left), right: true },
      { title: 'CHANGES', value: ({ changes_applied }) => count(changes_applied), right: true },
      { title: 'LAST CHANGE', value: ({ last_change_at }) => moment(last_change_at) },
    ],
    terminal,
  );
  const problems = tables.flatMap(({ source, error }) =>
    error === null ? [] : [`${source}: ${error.code}: ${printable(error.message)}\n  ${printable(error.fix)}\n`],
  );
  return problems.length === 0 ? list : `${list}\n${problems.join('')}`;
}
