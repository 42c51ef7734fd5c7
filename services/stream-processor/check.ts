import type { BlockTable } from '#schemas/block/index.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import { formatTableName, parseTableName } from '#schemas/tables.ts';
import type { Problem } from './problems.ts';
import { routeProblems } from './route.ts';
import { planTable } from './table-plan.ts';

export type { Problem } from './problems.ts';

/**
 * Everything that is wrong with a pair's tables, columns, keys, expressions, transforms and rules, given the source's tables.
 * @param shapes as the source describes them; a table of the pair that is not among them is a problem
 */
export function checkPair(definition: PairDefinition, shapes: readonly BlockTable[]): Problem[] {
  const problems = routeProblems(definition);
  const byName = new Map(shapes.map((shape) => [formatTableName(shape), shape]));
  for (const [index, input] of (definition.tables ?? []).entries()) {
    const path = `tables[${index}]`;
    const source = formatTableName(parseTableName(input.source));
    const shape = byName.get(source);
    if (!shape) {
      problems.push({
        path: `${path}.source`,
        code: 'SOURCE_TABLE_MISSING',
        message: `the source has no table ${source}`,
      });
    } else planTable(input, shape, definition.config, path, problems);
  }
  return problems;
}
