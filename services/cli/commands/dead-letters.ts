import { readFile } from 'node:fs/promises';
import { isMap, isScalar, parseDocument } from 'yaml';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import { deadLettersPage, deadLetterView, replayBody, type DeadLetterView } from '#schemas/http/dead-letters.ts';
import { maskText } from '#services/kernel/masking.ts';
import { exitCodeOf, exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { count, counted, facts, json, moment, table, type Terminal } from '../output.ts';
import { printable } from '../text.ts';
import { confirmed, UsageError } from '../usage.ts';
import { allPages, pathOf, type Filters } from './pages.ts';

const LIST = '/api/dead-letters';

export interface LetterFilters extends Filters {
  readonly pair: string | undefined;
  readonly state: string | undefined;
  readonly table: string | undefined;
  readonly code: string | undefined;
}

/** `terrafusion dead-letters` */
export async function deadLetters(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { filters, limit }: { readonly filters: LetterFilters; readonly limit: number },
): Promise<number> {
  const items = await allPages(client, LIST, deadLettersPage, filters, limit);
  terminal.out(
    asJson ? json(items) : items.length === 0 ? 'There are no such letters.\n' : letterTable(items, terminal),
  );
  return exitCodes.OK;
}

/** `terrafusion dead-letters show` */
export async function showLetter(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  id: string,
): Promise<number> {
  const letter = await client.get(pathOf(LIST, id), deadLetterView);
  terminal.out(asJson ? json(letter) : letterText(letter, terminal));
  return exitCodes.OK;
}

export interface ResolveOptions {
  readonly verb: 'replay' | 'discard';
  readonly ids: readonly string[];
  /** Instead of ids: all open letters that these leave. */
  readonly filters: Omit<LetterFilters, 'state'>;
  readonly all: boolean;
  /** With one id: the row to write instead, as JSON or YAML. */
  readonly rowFile?: string | undefined;
  readonly yes: boolean;
}

/** What became of one letter. */
interface Outcome {
  readonly id: string;
  readonly state: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * `terrafusion dead-letters replay`, `discard`: each letter by itself, the oldest first, so that rows come in the order in which they were
 * made. One that fails stays open and is told; the others go on. Ends with 0 when all went well.
 */
export async function resolveLetters(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  options: ResolveOptions,
): Promise<number> {
  const { verb, rowFile } = options;
  const ids = await chosen(client, options);
  if (rowFile !== undefined && (verb !== 'replay' || options.ids.length !== 1))
    throw new UsageError('--row takes the row of one letter: name exactly one.');
  const body = rowFile === undefined ? undefined : { row: await readRow(rowFile) };
  if (ids.length === 0) {
    terminal.out(asJson ? json([]) : 'There are no such open letters.\n');
    return exitCodes.OK;
  }
  const question =
    verb === 'replay'
      ? `${counted(ids.length, 'row')} of dead letters ${ids.length === 1 ? 'is' : 'are'} written to the target. Go on?`
      : `${counted(ids.length, 'dead letter')} ${ids.length === 1 ? 'is' : 'are'} discarded: their rows are not written. Go on?`;
  const named = options.ids.length > 0 && verb === 'replay';
  if (!named && !(await confirmed(terminal, question, options.yes))) return exitCodes.FAILED;

  const outcomes: Outcome[] = [];
  for (const id of ids) {
    const outcome = await resolveOne(client, id, verb, body);
    outcomes.push(outcome);
    if (!asJson && outcome.error) {
      const { code, message } = outcome.error;
      terminal.err(`${id}: ${code}: ${printable(message)}\n`);
    }
  }
  const failed = outcomes.filter(({ error }) => error !== undefined);
  const done = `${counted(outcomes.length - failed.length, 'letter')} ${verb === 'replay' ? 'replayed' : 'discarded'}`;
  terminal.out(asJson ? json(outcomes) : `${done}, ${count(failed.length)} failed.\n`);
  return failed.length === 0 ? exitCodes.OK : exitCodes.FAILED;
}

async function chosen(client: GatewayClient, { ids, filters, all }: ResolveOptions): Promise<readonly string[]> {
  const filtered = Object.values(filters).some((filter) => filter !== undefined);
  if (ids.length > 0) {
    if (filtered || all) throw new UsageError('Name letters by their ids, or by filters, not both.');
    return ids;
  }
  if (!filtered && !all)
    throw new UsageError('Which letters? Name ids, narrow them down with --pair, --table or --code, or say --all.');
  const open = await allPages(client, LIST, deadLettersPage, { ...filters, state: 'open' });
  return open.map(({ id }) => id).toReversed();
}

async function resolveOne(
  client: GatewayClient,
  id: string,
  verb: 'replay' | 'discard',
  body: object | undefined,
): Promise<Outcome> {
  try {
    const { state } = await client.send('POST', pathOf(LIST, id, verb), body, deadLetterView);
    return { id, state };
  } catch (thrown) {
    const error = asTerraFusionError(thrown);
    // Not this letter's fault: the next one would fail likewise.
    const code = exitCodeOf(error);
    if (code !== exitCodes.FAILED) throw error;
    return { id, state: 'open', error: { code: error.code, message: maskText(error.message) } };
  }
}

/** The row in a file, each value as it is written there: a number read as one would not be what was written. (Promise 4) */
async function readRow(file: string): Promise<Readonly<Record<string, string | null>>> {
  let row: unknown;
  try {
    const { contents, errors } = parseDocument(await readFile(file, 'utf8'));
    if (errors[0]) throw errors[0];
    row = isMap(contents) && Object.fromEntries(contents.items.map(({ key, value }) => [textOf(key), textOf(value)]));
  } catch (cause) {
    throw new TerraFusionError('REQUEST_INVALID', `--row: ${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  const parsed = replayBody.safeParse({ row });
  if (parsed.success && parsed.data.row !== undefined) return parsed.data.row;
  throw new TerraFusionError(
    'REQUEST_INVALID',
    `--row: ${file} must hold columns and their values, each a text or null`,
  );
}

function textOf(node: unknown): unknown {
  if (node === null) return null;
  if (!isScalar(node)) return undefined;
  return node.value === null || typeof node.value === 'string' ? node.value : node.source;
}

function letterTable(items: readonly DeadLetterView[], terminal: Terminal): string {
  return table(
    items,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'SINCE', value: ({ created_at }) => moment(created_at) },
      { title: 'PAIR', value: ({ pair }) => pair.name, flexible: true },
      { title: 'TABLE', value: ({ target_table }) => target_table, flexible: true },
      { title: 'OP', value: ({ op }) => op },
      { title: 'STATE', value: ({ state }) => state, colour: ({ state }) => (state === 'open' ? 'yellow' : 'gray') },
      { title: 'CODE', value: ({ code }) => code },
      { title: 'REASON', value: ({ reason }) => reason, flexible: true },
    ],
    terminal,
  );
}

function letterText(letter: DeadLetterView, terminal: Terminal): string {
  const columns = Object.keys({ ...letter.row, ...letter.before });
  return [
    facts([
      ['dead letter', letter.id],
      ['pair', letter.pair.name],
      ['position', letter.position],
      ['stage', letter.stage === 'process' ? 'refused by the mapping or a rule' : 'refused by the target'],
      ['source table', letter.source_table],
      ['target table', letter.target_table],
      ['operation', letter.op],
      ['rule', letter.rule ?? undefined],
      ['code', letter.code],
      ['reason', letter.reason],
      ['state', letter.state],
      ['since', moment(letter.created_at)],
      ['resolved', letter.resolved_at === null ? undefined : moment(letter.resolved_at)],
      ['resolved by', letter.resolved_by ?? undefined],
    ]),
    table(
      columns,
      [
        { title: 'COLUMN', value: (name) => name },
        { title: 'VALUE', value: (name) => cell(letter.row[name]), flexible: true },
        ...(letter.before === null
          ? []
          : [{ title: 'BEFORE', value: (name: string) => cell(letter.before?.[name]), flexible: true }]),
      ],
      terminal,
    ),
  ].join('\n');
}

const cell = (value: string | null | undefined): string =>
  value === undefined ? '' : value === null ? 'NULL' : JSON.stringify(value);
