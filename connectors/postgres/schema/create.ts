import type pg from 'pg';
import type { SchemaModel, SchemaPhase, SchemaReport } from '#connectors/contract/schema.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName } from '#schemas/tables.ts';
import { Attempts } from './attempt.ts';
import { Completion } from './complete.ts';
import { ensureMadeObjects } from './made.ts';
import { TableMaker } from './make-tables.ts';
import { advanceSequences, problemsOf } from './sequences.ts';
import { readTargetState } from './target-state.ts';

/** Two pairs that begin at once may want the same objects. (CHECKLIST 21) */
const LOCK = `hashtext('terrafusion create tables')`;

/** Makes a phase of the model, under a lock; see the target's contract. The session is the caller's, outside of a transaction. */
export async function makeSchema(client: pg.ClientBase, model: SchemaModel, phase: SchemaPhase): Promise<SchemaReport> {
  await client.query(`SELECT pg_advisory_lock(${LOCK})`);
  try {
    return await (phase === 'plan' ? plan(client, model) : make(client, model, phase));
  } finally {
    // A session that is broken has lost it already.
    await client.query(`SELECT pg_advisory_unlock(${LOCK})`).catch(() => undefined);
  }
}

async function make(client: pg.ClientBase, model: SchemaModel, phase: 'before' | 'after'): Promise<SchemaReport> {
  await ensureMadeObjects(client);
  const state = await readTargetState(client, model);
  const attempts = new Attempts(client, false);
  const maker = new TableMaker(client, model, state, attempts);
  if (phase === 'before') {
    await maker.make();
    return attempts.report(model.notCarried);
  }
  await new Completion(model, state, attempts, maker.present).make();
  const moved = await advanceSequences(
    client,
    model.sequences.filter(({ value, ownedBy }) => {
      // What fills a table that was there before is its owner's matter until the cut-over.
      const owner = ownedBy && maker.present.get(formatTableName(ownedBy.table));
      return value !== undefined && owner?.ours !== false;
    }),
  );
  return attempts.report(problemsOf(moved));
}

/** The server itself says what it would take: everything is made, and rolled back. What is there already and in use is not touched. */
async function plan(client: pg.ClientBase, model: SchemaModel): Promise<SchemaReport> {
  const state = await readTargetState(client, model);
  const attempts = new Attempts(client, true);
  await client.query('BEGIN');
  try {
    const maker = new TableMaker(client, model, state, attempts);
    await maker.make();
    await new Completion(model, state, attempts, maker.present).make();
    return attempts.report(model.notCarried);
  } catch (error) {
    if (!(error instanceof TerraFusionError) || error.code !== 'TARGET_TYPE_MISSING') throw error;
    // Without its types no table can be made: that is the answer.
    attempts.skip('tables', error.message, error.fix);
    return attempts.report(model.notCarried);
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
  }
}
