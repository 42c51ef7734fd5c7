import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ProbeType, ProbeValues } from '#connectors/contract/probe.ts';
import { withClient } from '../connection.ts';
import { isPostgresError } from '../errors.ts';
import { quoteLiteral } from '../identifiers.ts';
import { compose, MOST_LABELS } from '../probe/compose.ts';
import { readTypes, type TypeFacts } from '../probe/types.ts';
import type { PostgresSettings } from '../settings.ts';

/** Longest wait for one statement, in milliseconds: a domain's check may be anybody's function. */
const STATEMENT_MS = 3000;

/**
 * Boundary values of the types, printed by the source itself under the settings that copy and stream have. Nothing is written, not even
 * a temporary table: what a type prints in a SELECT is what it prints in COPY and in pgoutput.
 */
export function probeValues(
  settings: PostgresSettings,
  types: readonly ProbeType[],
  context: ConnectorContext,
): Promise<ProbeValues[]> {
  const session = { default_transaction_read_only: 'on', statement_timeout: String(STATEMENT_MS) };
  return withClient(
    settings,
    context,
    { role: 'source', purpose: 'check', session, what: 'Could not ask the source for boundary values' },
    async (client) => {
      const facts = await readTypes(
        client,
        types.map(({ typeOid }) => typeOid),
      );
      const found: ProbeValues[] = [];
      for (const type of types) found.push(await valuesOf(client, type, facts));
      return found;
    },
  );
}

async function valuesOf(
  client: pg.Client,
  { typeOid, typmod, printed }: ProbeType,
  facts: ReadonlyMap<number, TypeFacts>,
): Promise<ProbeValues> {
  const composed = compose(typeOid, typmod, facts);
  if (composed === undefined || composed.length === 0)
    return { values: [], note: `no boundary values are known for ${printed}` };
  const values = [...new Set(await print(client, printed, [...new Set(composed)]))];
  if (values.length === 0)
    return { values, note: `none of the boundary values that are known is one of ${printed}: its checks refuse them` };
  const type = facts.get(typeOid)!;
  if (type.kind === 'domain')
    return { values, neverNull: (await tried(client, `SELECT NULL::${printed}`)) === undefined };
  const labels = type.kind === 'enum' ? type.labels.length : 0;
  return labels > MOST_LABELS
    ? { values, note: `the first ${MOST_LABELS} of ${labels} labels were tried` }
    : { values };
}

/** The values that the type takes, as it prints them. */
async function print(client: pg.Client, type: string, literals: readonly string[]): Promise<string[]> {
  const all = await printAll(client, type, literals);
  if (all !== undefined) return all;
  const each: string[] = [];
  for (const literal of literals) each.push(...((await printAll(client, type, [literal])) ?? []));
  return each;
}

async function printAll(client: pg.Client, type: string, literals: readonly string[]): Promise<string[] | undefined> {
  // The type's words are the catalog's own. A literal without a type of its own is read by the type's input, as COPY does.
  const row = await tried(
    client,
    `SELECT ${literals.map((literal) => `${quoteLiteral(literal)}::${type}`).join(', ')}`,
  );
  return row?.filter((value) => value !== null);
}

/** The only row; undefined when the server refuses a value. */
async function tried(client: pg.Client, text: string): Promise<(string | null)[] | undefined> {
  try {
    const { rows } = await client.query<(string | null)[]>({ text, rowMode: 'array', types: asText });
    return rows[0]!;
  } catch (error) {
    // Not a value of this type: data, constraint, limit, unknown to this version; or the check took too long.
    if (isPostgresError(error) && /^(22|23|42|54|57014|0A|XX|P0|28|25006|2F)/.test(error.code)) return undefined;
    throw error;
  }
}

const asText: pg.CustomTypesConfig = { getTypeParser: () => (text: string) => text };
