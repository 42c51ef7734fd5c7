import type pg from 'pg';
import type { SequenceAdvance, SequenceModel, SkippedObject } from '#connectors/contract/schema.ts';
import type { TableName } from '#schemas/tables.ts';
import { isPostgresError } from '../errors.ts';
import { quoteTable } from '../identifiers.ts';
import { fixOf, reasonOf } from './attempt.ts';
import { objectName } from './names.ts';
import { readValue } from './read-sequences.ts';

/**
 * Moves each sequence to at least the value in the model, never backwards: whoever takes a number at the target next gets one that the
 * source has not given out. (CHECKLIST 39) Each in a transaction of its own.
 */
export async function advanceSequences(
  client: pg.ClientBase,
  sequences: readonly SequenceModel[],
): Promise<SequenceAdvance[]> {
  const advances: SequenceAdvance[] = [];
  for (const sequence of sequences) advances.push(await advance(client, sequence));
  return advances;
}

interface Value {
  readonly last: string;
  readonly called: boolean;
}

async function advance(client: pg.ClientBase, wanted: SequenceModel): Promise<SequenceAdvance> {
  const source = wanted.value && shown(wanted.value);
  const found = await findSequence(client, wanted);
  const told = { sequence: found ?? wanted.name, source };
  if (found === undefined) {
    const problem = trouble(
      wanted.name,
      'The target has no such sequence.',
      'Create it there if its column is to be filled at the target.',
    );
    return { ...told, before: undefined, after: undefined, problem };
  }
  if (wanted.value === undefined) {
    const before = await readValue(client, quoteTable(found));
    const problem = trouble(
      found,
      'The role may not read where the sequence stands at the source.',
      `At the source: GRANT SELECT ON SEQUENCE ${quoteTable(wanted.name)} TO the role.`,
    );
    return { ...told, before: shown(before), after: shown(before), problem };
  }
  await client.query('BEGIN');
  try {
    await keepStill(client, found);
    const before = await readValue(client, quoteTable(found));
    const behind = isBehind(before, wanted.value, wanted.increment.startsWith('-'));
    if (behind)
      await client.query('SELECT setval($1::regclass, $2::bigint, $3)', [
        quoteTable(found),
        wanted.value.last,
        wanted.value.called,
      ]);
    await client.query('COMMIT');
    return { ...told, before: shown(before), after: shown(behind ? wanted.value : before), problem: undefined };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    if (!isPostgresError(error) || !/^(42|22|55000)/.test(error.code)) throw error;
    return { ...told, before: undefined, after: undefined, problem: trouble(found, reasonOf(error), fixOf(error)) };
  }
}

/** Numbers are only compared: as bigint, since they go beyond what a double holds. */
function isBehind(here: Value, there: Value, down: boolean): boolean {
  if (!there.called) return false;
  const difference = BigInt(there.last) - BigInt(here.last);
  if (difference === 0n) return !here.called;
  return down ? difference < 0n : difference > 0n;
}

const shown = ({ last, called }: Value): string | undefined => (called ? last : undefined);

const trouble = (sequence: TableName, reason: string, fix: string): SkippedObject => ({
  object: objectName.sequence(sequence),
  reason,
  fix,
});

/** The one that fills the column at the target, by whatever name; else the one of the same name. */
async function findSequence(client: pg.ClientBase, { name, ownedBy }: SequenceModel): Promise<TableName | undefined> {
  const serial = ownedBy && (await serialSequence(client, quoteTable(ownedBy.table), ownedBy.column));
  const { rows } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid = to_regclass($1) AND c.relkind = 'S'`,
    [serial ?? quoteTable(name)],
  );
  return rows[0];
}

/** @param table quoted */
async function serialSequence(client: pg.ClientBase, table: string, column: string): Promise<string | undefined> {
  // Asked of a column that is not there, the function is an error.
  const { rowCount } = await client.query(
    'SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND attnum > 0 AND NOT attisdropped',
    [table, column],
  );
  if (rowCount === 0) return undefined;
  const { rows } = await client.query<{ name: string | null }>('SELECT pg_get_serial_sequence($1, $2) AS name', [
    table,
    column,
  ]);
  return rows[0]!.name ?? undefined;
}

/**
 * Nobody takes a number until the transaction ends: between reading and setting, one that was given out could be lost from sight.
 * Only an owner can do that; anybody else sets what was read a moment ago.
 */
async function keepStill(client: pg.ClientBase, sequence: TableName): Promise<void> {
  await client.query('SAVEPOINT still');
  try {
    const { rows } = await client.query<{ cache: string }>(
      'SELECT seqcache::text AS cache FROM pg_sequence WHERE seqrelid = $1::regclass',
      [quoteTable(sequence)],
    );
    // Changes nothing, and locks.
    await client.query(`ALTER SEQUENCE ${quoteTable(sequence)} CACHE ${rows[0]!.cache}`);
    await client.query('RELEASE SAVEPOINT still');
  } catch (error) {
    if (!isPostgresError(error, '42501')) throw error;
    await client.query('ROLLBACK TO SAVEPOINT still');
  }
}

/** For messages: which could not be advanced. */
export function problemsOf(advances: readonly SequenceAdvance[]): SkippedObject[] {
  return advances.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
}
