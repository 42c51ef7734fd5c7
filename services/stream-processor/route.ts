import type { BlockTable } from '#schemas/block/index.ts';
import type { PairDefinition, TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName } from '#schemas/tables.ts';
import type { Problem } from './problems.ts';

/** Our own schema at every system we write to: a pair never carries it on. */
const OWN_SCHEMA = '_terrafusion';

/** A table's entry in a pair, with its path for messages. */
export interface Route {
  readonly input: TableInput;
  readonly path: string;
}

/** Which of the source's tables a pair takes, and as what. */
export class Router {
  readonly #routes: ReadonlyMap<string, Route> | undefined;

  constructor(definition: PairDefinition) {
    this.#routes =
      definition.tables &&
      new Map(definition.tables.map((input, index) => [canonical(input.source), { input, path: `tables[${index}]` }]));
  }

  /** undefined: the pair does not have the table. */
  routeOf(table: Pick<BlockTable, 'schema' | 'name'>): Route | undefined {
    if (this.#routes) return this.#routes.get(formatTableName(table));
    if (table.schema === OWN_SCHEMA) return undefined;
    const source = formatTableName(table);
    return { input: { source, columns: 'same', exclude: [], rules: [] }, path: `table ${source}` };
  }
}

/** What is wrong with the tables of a pair among each other. */
export function routeProblems(definition: PairDefinition): Problem[] {
  const problems: Problem[] = [];
  const sources = new Map<string, number>();
  const targets = new Map<string, number>();
  for (const [index, table] of (definition.tables ?? []).entries()) {
    const source = canonical(table.source);
    const first = sources.get(source);
    if (first !== undefined) {
      const message = `${source} is in tables[${first}] already; make a second pair to bring it to a second target table`;
      problems.push({ path: `tables[${index}].source`, code: 'PAIR_INVALID', message });
    } else sources.set(source, index);
    const target = canonical(table.target ?? table.source);
    const other = targets.get(target);
    if (other !== undefined) {
      const message = `${target} is the target of tables[${other}] already; rows of two source tables cannot be told apart there`;
      problems.push({ path: `tables[${index}].target`, code: 'PAIR_INVALID', message });
    } else targets.set(target, index);
  }
  return problems;
}

/** The name as `formatTableName` writes it, however it was quoted. */
function canonical(name: string): string {
  return formatTableName(parseTableName(name));
}
