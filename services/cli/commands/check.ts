import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { TerraFusionError } from '#schemas/errors.ts';
import type { CheckView } from '#schemas/http/common.ts';
import { pairCheckReport, type PairCheckReport } from '#schemas/http/pairs.ts';
import { pairInput } from '#schemas/pairs.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { count, json, table, type Terminal } from '../output.ts';
import { printable } from '../text.ts';

/**
 * `terrafusion check <pair file>`: what would become of the pair, without making it. The file's form is looked at here, everything that
 * needs the two systems by the gateway. Ends with 1 when the pair could not be made as it stands.
 */
export async function check(
  file: string,
  openGateway: () => Promise<GatewayClient>,
  terminal: Terminal,
  asJson: boolean,
  { proof }: { readonly proof: boolean } = { proof: true },
): Promise<number> {
  const pair = await readPairFile(file);
  const client = await openGateway();
  const report = await client.send(
    'POST',
    `/api/sync-pairs/check${proof ? '' : '?proof=false'}`,
    pair,
    pairCheckReport,
  );
  terminal.out(asJson ? json(report) : reportText(file, report, terminal));
  return report.ok ? exitCodes.OK : exitCodes.FAILED;
}

/** The pair as written, its form checked. JSON or YAML. @throws {TerraFusionError} PAIR_INVALID telling all that is wrong */
export async function readPairFile(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new TerraFusionError(
      'PAIR_INVALID',
      `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`,
      { cause },
    );
  }
  let pair: unknown;
  try {
    pair = parseYaml(text);
  } catch (cause) {
    throw new TerraFusionError('PAIR_INVALID', `${file} is neither JSON nor YAML: ${(cause as Error).message}`, {
      cause,
    });
  }
  const parsed = pairInput.safeParse(pair);
  if (parsed.success) return pair;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `  ${path.map(String).join('.') || 'the file'}: ${message}`,
  );
  throw new TerraFusionError('PAIR_INVALID', `${file} is not a pair:\n${problems.join('\n')}`, { cause: parsed.error });
}

function reportText(file: string, report: PairCheckReport, terminal: Terminal): string {
  const parts = [
    table(
      report.tables,
      [
        { title: 'SOURCE', value: ({ source }) => source, flexible: true },
        { title: 'TARGET', value: ({ target }) => target, flexible: true },
        { title: 'TARGET TABLE', value: ({ action }) => actions[action ?? 'unknown'] },
        { title: 'ROWS ABOUT', value: ({ estimated_rows }) => count(estimated_rows), right: true },
        { title: 'COLUMNS', value: ({ columns }) => count(columns.length), right: true },
        { title: 'LOSSLESS', value: ({ columns }) => lossless(columns), right: true },
      ],
      terminal,
    ),
    checkLines('source', report.source),
    checkLines('target', report.target),
    ...report.tables.map((each) => tableText(each, terminal)),
    report.problems.map(({ path, code, message, fix }) => `${path}: ${message} (${code})\n  ${fix}\n`).join(''),
    schemaText(report),
    report.lossy.map(({ path, message }) => `${path}: ${message}\n`).join(''),
    report.ok ? `${file} can be made as it stands.\n` : `${file} cannot be made as it stands.\n`,
  ];
  return parts.filter((part) => part !== '').join('\n');
}

/** What would not be at the target as it is at the source. */
function schemaText({ schema }: PairCheckReport): string {
  if (schema === null || schema.skipped.length === 0) return '';
  const lines = schema.skipped.map(({ object, reason, fix }) => `warn ${object}: ${reason}\n     ${fix}\n`);
  return `not made at the target\n${lines.join('')}`;
}

type Table = PairCheckReport['tables'][number];

const actions = { create: 'is created', use: 'is there', unknown: 'not known' } as const;

/** "12", or "-" when it was not asked for. */
function lossless(columns: Table['columns']): string {
  const proven = columns.filter(({ proof }) => proof !== undefined);
  return proven.length === 0 ? '-' : count(proven.filter(({ proof }) => proof?.result === 'lossless').length);
}

/** What is worth reading of a table: good checks and lossless columns are only counted, above. */
function tableText({ source, target, checks, columns }: Table, terminal: Terminal): string {
  const bad = checks.filter(({ ok }) => !ok);
  const odd = columns.filter(({ proof }) => proof !== undefined && (proof.result !== 'lossless' || proof.how));
  if (bad.length === 0 && odd.length === 0) return '';
  return (
    `${source} to ${target}\n` +
    checkLines('', bad) +
    table(
      odd,
      [
        { title: 'COLUMN', value: ({ source: from, target: to }) => (from === to ? to : `${from} to ${to}`) },
        { title: 'SOURCE TYPE', value: ({ source_type }) => source_type },
        { title: 'TARGET TYPE', value: ({ target_type }) => target_type ?? '-' },
        { title: 'PROOF', value: ({ proof }) => proof!.result.replace('_', ' ') },
        { title: 'HOW', value: ({ proof }) => proof!.how ?? '', flexible: true },
      ],
      terminal,
    )
  );
}

export function checkLines(end: string, checks: readonly CheckView[]): string {
  return checks
    .map(({ ok, required, name, message, fix }) => {
      const mark = ok ? 'ok  ' : required ? 'FAIL' : 'warn';
      const where = end === '' ? name : `${end} ${name}`;
      return `${mark} ${printable(where)}: ${printable(message)}${ok || fix === undefined ? '' : `\n     ${printable(fix)}`}\n`;
    })
    .join('');
}
