import type { BlockTable } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { SCHEMA } from './bookkeeping.ts';
import { catalogSql, catalogValues, readCatalog, type CatalogTable } from './catalog.ts';
import { rankByForeignKeys } from './foreign-key-order.ts';
import type { Pipeline } from './pipeline.ts';
import { signatureOf, TablePlan } from './table-plan.ts';

/** The plans of a connection, by table and shape. The target's catalog is asked when a table first occurs. */
export class PlanBook {
  readonly #pipeline: Pipeline;
  readonly #plans = new Map<string, TablePlan>();
  readonly #tables = new Map<string, CatalogTable>();
  #ranks: ReadonlyMap<string, number> = new Map();

  readonly #placeOf: (table: TableName) => TableName;

  /** @param placeOf where the rows of a table go: elsewhere than to the table, for a load that keeps them for the time being */
  constructor(pipeline: Pipeline, placeOf: (table: TableName) => TableName = (table) => table) {
    this.#pipeline = pipeline;
    this.#placeOf = placeOf;
  }

  /** Place of a table in an order in which parents of foreign keys come first. */
  rank(table: CatalogTable): number {
    return this.#ranks.get(table.oid) ?? 0;
  }

  /** Tables have been altered: the catalog is asked anew. */
  forget(): void {
    this.#plans.clear();
    this.#tables.clear();
  }

  /** Whether `resolve` would not have to ask. */
  knows(shapes: readonly BlockTable[]): boolean {
    return shapes.every((shape) => isOurs(shape) || this.#plans.has(signatureOf(shape)));
  }

  /**
   * The plan of each table of a block's header; undefined for our own bookkeeping, which is never replicated. (CHECKLIST 36)
   * @throws {TerraFusionError} TARGET_TABLE_MISSING, TARGET_COLUMN_MISSING
   */
  async resolve(shapes: readonly BlockTable[]): Promise<readonly (TablePlan | undefined)[]> {
    const signatures = shapes.map(signatureOf);
    if (!signatures.every((signature, i) => this.#plans.has(signature) || isOurs(shapes[i]!))) {
      await this.#look(shapes.filter((shape) => !isOurs(shape)));
    }
    return signatures.map((signature) => this.#plans.get(signature));
  }

  async #look(shapes: readonly BlockTable[]): Promise<void> {
    const unknown = shapes.filter((shape) => !this.#tables.has(formatTableName(shape)));
    if (unknown.length > 0) {
      const places = unknown.map(this.#placeOf);
      const found = readCatalog(await this.#pipeline.query(catalogSql, catalogValues(places)));
      const byPlace = new Map(found.map((table) => [formatTableName(table), table]));
      for (const [i, table] of unknown.entries()) {
        const there = byPlace.get(formatTableName(places[i]!));
        if (there) this.#tables.set(formatTableName(table), there);
      }
      this.#ranks = rankByForeignKeys([...this.#tables.values()]);
    }
    const missing = unknown.map(formatTableName).filter((name) => !this.#tables.has(name));
    if (missing.length > 0) {
      throw new TerraFusionError(
        'TARGET_TABLE_MISSING',
        `The target has no table ${[...new Set(missing)].join(', ')}`,
        {
          details: { tables: missing },
        },
      );
    }
    for (const shape of shapes) {
      const signature = signatureOf(shape);
      if (!this.#plans.has(signature))
        this.#plans.set(signature, new TablePlan(this.#tables.get(formatTableName(shape))!, shape));
    }
  }
}

function isOurs({ schema }: BlockTable): boolean {
  return schema === SCHEMA;
}
