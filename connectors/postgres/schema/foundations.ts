import type { SchemaModel, SequenceModel } from '#connectors/contract/schema.ts';
import { formatTableName } from '#schemas/tables.ts';
import { quoteIdentifier } from '../identifiers.ts';
import type { Attempts } from './attempt.ts';
import { sameSequence, sameType } from './compare.ts';
import { createCollation, createExtension, createSchema, createSequence, createType, ownSequence } from './ddl.ts';
import { objectName } from './names.ts';
import type { TargetState } from './target-state.ts';

/** What tables rest on: extensions, schemas, collations, types. Within a transaction. */
export async function makeFoundations(model: SchemaModel, state: TargetState, attempts: Attempts): Promise<void> {
  await makeSchemas(model, state, attempts);
  await makeExtensions(model, state, attempts);
  for (const collation of model.collations) {
    const object = objectName.collation(collation.name);
    const there = state.collations.get(formatTableName(collation.name));
    // What a locale is called differs between machines: the same name is taken for the same order.
    if (there === undefined) await attempts.make(object, [createCollation(collation)]);
    else attempts.recognise(object, state.made);
  }
  for (const type of model.types) {
    const object = objectName.type(type);
    const statements = [createType(type)];
    const there = state.types.get(formatTableName(type.name));
    if (there === undefined) await attempts.make(object, statements);
    else if (state.made.statements.get(object) === statements.join(';\n')) attempts.made(object);
    else if (sameType(there, type)) attempts.found(object);
    else
      attempts.skip(
        object,
        `The target has another type of this name: ${createType(there)}. It is used as it is.`,
        `Values that it does not know become dead letters. Bring it to what the source has: ${statements.join()}.`,
      );
  }
}

async function makeSchemas(model: SchemaModel, { schemas, made }: TargetState, attempts: Attempts): Promise<void> {
  const needed = new Set([
    ...model.extensions.map(({ schema }) => schema),
    ...[...model.collations, ...model.types, ...model.sequences, ...model.tables].map(({ name }) => name.schema),
  ]);
  // A role without the right to create schemas can still use one that is there.
  for (const schema of needed)
    if (!schemas.has(schema)) await attempts.make(objectName.schema(schema), [createSchema(schema)]);
    else if (made.statements.has(objectName.schema(schema))) attempts.made(objectName.schema(schema));
}

async function makeExtensions(model: SchemaModel, state: TargetState, attempts: Attempts): Promise<void> {
  for (const extension of model.extensions) {
    const object = objectName.extension(extension.name);
    const there = state.extensions.get(extension.name);
    if (there === undefined) {
      const statement = createExtension(extension);
      // Some extensions prescribe their schema.
      const elsewhere = statement.replace(/ SCHEMA .*$/, '');
      if ((await attempts.tryAll([statement])) === undefined) await attempts.note(object, [statement]);
      else await attempts.make(object, [elsewhere]);
    } else if (there.schema === extension.schema) attempts.recognise(object, state.made);
    else
      attempts.skip(
        object,
        `At the target it lives in schema ${there.schema}, at the source in ${extension.schema}: texts that name its objects do not find them.`,
        `At the target: ALTER EXTENSION ${quoteIdentifier(extension.name)} SET SCHEMA ${quoteIdentifier(extension.schema)}.`,
      );
  }
}

/** Sequences that tables of ours ask; an identity's comes with its column. Within a transaction, before the tables. */
export async function makeSequences(
  sequences: readonly SequenceModel[],
  state: TargetState,
  attempts: Attempts,
): Promise<void> {
  for (const sequence of sequences) {
    if (sequence.identity) continue;
    const object = objectName.sequence(sequence.name);
    const statements = [createSequence(sequence)];
    const there = state.sequences.get(formatTableName(sequence.name));
    if (there === undefined) await attempts.make(object, statements);
    else if (state.made.statements.get(object) === statements.join(';\n')) attempts.made(object);
    else if (sameSequence(there, sequence)) attempts.found(object);
    else
      attempts.skip(
        object,
        'The target has a sequence of this name with other settings. It is used as it is.',
        `Bring it to what the source has: ${statements.join()}.`,
      );
  }
}

/** Gives the sequences to the columns they belong to. Within a transaction, after the tables. */
export async function ownSequences(
  sequences: readonly SequenceModel[],
  state: TargetState,
  attempts: Attempts,
): Promise<void> {
  for (const sequence of sequences) {
    const statement = ownSequence(sequence);
    const there = state.sequences.get(formatTableName(sequence.name));
    if (statement === undefined || there?.ownedBy !== undefined) continue;
    const refusal = await attempts.tryAll([statement]);
    if (refusal)
      attempts.skip(
        `owner of ${objectName.sequence(sequence.name)}`,
        `The target refuses it: ${refusal.message}`,
        `Without it the sequence stays when its column goes. At the target: ${statement}.`,
      );
  }
}
