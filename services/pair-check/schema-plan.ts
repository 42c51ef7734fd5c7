import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { asTerraFusionError } from '#schemas/errors.ts';
import type { SchemaPlanView } from '#schemas/http/pairs.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import { maskText } from '#services/kernel/masking.ts';
import type { Look } from './look.ts';
import { targetSchema, type PlannedTable } from './schema-mapping.ts';

/**
 * What would be made of the source's schema at the target, and what would not: the target itself tries all of it and takes it back. Whether rows
 * satisfy a constraint is not known before they are there. @returns null when it was not, or cannot be, tried
 */
export async function planSchema(
  tables: readonly PlannedTable[],
  {
    definition,
    source,
    target,
  }: { readonly definition: PairDefinition; readonly source: Source; readonly target: Target },
  look: Look,
): Promise<SchemaPlanView | null> {
  if (!definition.config.create_tables || !source.describeSchema || !target.createSchema || tables.length === 0)
    return null;
  try {
    const names = tables.map(({ shape: { table } }) => ({ schema: table.schema, name: table.name }));
    const model = await look('source', (context) => source.describeSchema!(names, context), true);
    const wanted = targetSchema(model, tables, definition.config);
    const { made, found, skipped } = await look(
      'target',
      (context) => target.createSchema!(wanted, 'plan', context),
      true,
    );
    return {
      made: [...made],
      found: [...found],
      skipped: skipped.map(({ object, reason, fix }) => ({ object, reason: maskText(reason), fix })),
    };
  } catch (thrown) {
    // The tables' own troubles are told with them; this is a forecast.
    const { message, fix } = asTerraFusionError(thrown);
    return { made: [], found: [], skipped: [{ object: 'schema', reason: maskText(message), fix }] };
  }
}
