import type { ColumnsRead, ColumnsRequest } from '#connectors/contract/source.ts';
import type { HeldTable, Refill, SchemaNews, SchemaPlan } from '#connectors/contract/target.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteColumns, quoteIdentifier, quoteTable } from '../../identifiers.ts';
import { catalogSql, type CatalogTable, catalogValues, readCatalog } from '../catalog.ts';
import type { Answers, Pipeline } from '../pipeline.ts';
import { forgetTableSql, holdTableSql, holdTableValues } from './held-tables.ts';
import { notNullIfPossible } from './columns.ts';
import { planEvolution } from './plan.ts';

export type ReadAgain = (request: ColumnsRequest) => Promise<ColumnsRead | undefined>;

/** Brings a pair's target tables in line with the source's, over the writer's own session and in its transaction. */
export class Evolver {
  readonly #pipeline: Pipeline;
  readonly #pairId: string;
  readonly #readAgain: ReadAgain | undefined;
  /** By oid; with what was applied in the transaction in hand. */
  readonly #held: Map<number, HeldTable>;

  constructor(pipeline: Pipeline, pairId: string, held: readonly HeldTable[], readAgain: ReadAgain | undefined) {
    this.#pipeline = pipeline;
    this.#pairId = pairId;
    this.#readAgain = readAgain;
    this.#held = new Map(held.map((table) => [table.source.relation_id, table]));
  }

  async plan(news: SchemaNews): Promise<SchemaPlan> {
    const names = new Map<string, TableName>();
    const name = (table: TableName): void => void names.set(formatTableName(table), table);
    for (const { source, target } of news.tables) {
      name(target);
      const before = this.#held.get(source.relation_id);
      if (before) name(before.target);
      for (const partition of before?.source.partitions ?? []) name({ schema: target.schema, name: partition.name });
    }
    for (const relationId of news.dropped) {
      const before = this.#held.get(relationId);
      if (before) name(before.target);
    }
    const rows = await this.#pipeline.query(catalogSql, catalogValues([...names.values()]));
    const there = new Map(readCatalog(rows).map((table): [string, CatalogTable] => [formatTableName(table), table]));
    return planEvolution({ news, held: this.#held, there });
  }

  /** Within the open transaction: statements, values read again, and what is noted. @throws {ServerError} the first that fails */
  async apply({ steps, held, forget }: SchemaPlan): Promise<void> {
    const pipeline = this.#pipeline;
    // Two pairs may write one table: their changes come one after the other. (CHECKLIST 21)
    pipeline.runOnce(`SELECT pg_advisory_xact_lock(hashtext('terrafusion schema'))`);
    const unread = new Map<number, number[]>();
    for (const { sql, refill } of steps) {
      for (const statement of sql) pipeline.runOnce(statement);
      if (refill) unread.set(refill.request.relationId, await this.#refill(refill));
    }
    for (const table of held) {
      const noted = { ...table, unread: [...table.unread, ...(unread.get(table.source.relation_id) ?? [])] };
      this.#held.set(table.source.relation_id, noted);
      pipeline.run(holdTableSql, holdTableValues(this.#pairId, noted));
    }
    for (const relationId of forget) {
      this.#held.delete(relationId);
      pipeline.run(forgetTableSql, [this.#pairId, String(relationId)]);
    }
    succeeded(await pipeline.sync());
    // What was prepared for a column's old type would still be asked for values of it.
    pipeline.forgetStatements();
  }

  /**
   * The source's values of now, which are later than the stream: rows that have changed since get the values in between from the stream,
   * and end right; a row that is gone by now gets none, and its delete is on its way.
   * @returns the numbers of columns that could not be read: they are others by now, and that change is on its way
   */
  async #refill({ request, table, keys, columns: names, notNull }: Refill): Promise<number[]> {
    const pipeline = this.#pipeline;
    succeeded(await pipeline.sync());
    const read = await this.#readAgain?.(request);
    const there = new Set(read?.columns);
    const unread = request.columns.map(({ attnum }) => attnum).filter((attnum) => !there.has(attnum));
    if (read === undefined) return unread;
    const columns = names.filter((_, index) => there.has(request.columns[index]!.attnum));
    const cells = [...keys, ...columns].map((_, index) => `c${index}`);
    const sql = quoteTable(table);
    pipeline.runOnce(
      `CREATE TEMPORARY TABLE terrafusion_refill ON COMMIT DROP AS SELECT ${[...keys, ...columns]
        .map((column, index) => `${quoteIdentifier(column)} AS c${index}`)
        .join(', ')} FROM ${sql} WITH NO DATA`,
    );
    pipeline.runOnce(`COPY terrafusion_refill (${quoteColumns(cells)}) FROM STDIN`);
    for await (const chunk of read.rows) {
      pipeline.out.copyBytes(chunk);
      await pipeline.room();
      if (pipeline.failure) throw pipeline.failure;
    }
    pipeline.out.copyDone();
    succeeded(await pipeline.sync());
    const set = columns.map((column, index) => `${quoteIdentifier(column)} = r.c${keys.length + index}`).join(', ');
    const found = keys.map((column, index) => `t.${quoteIdentifier(column)} = r.c${index}`).join(' AND ');
    pipeline.runOnce('ANALYZE terrafusion_refill');
    pipeline.runOnce('SET LOCAL enable_hashjoin = on');
    pipeline.runOnce('SET LOCAL enable_seqscan = on');
    pipeline.runOnce(`UPDATE ${sql} AS t SET ${set} FROM terrafusion_refill AS r WHERE ${found}`);
    pipeline.runOnce('SET LOCAL enable_hashjoin = off');
    pipeline.runOnce('SET LOCAL enable_seqscan = off');
    pipeline.runOnce('DROP TABLE terrafusion_refill');
    for (const column of notNull) pipeline.runOnce(notNullIfPossible(sql, quoteIdentifier(column)));
    succeeded(await pipeline.sync());
    return unread;
  }
}

function succeeded({ error }: Answers): void {
  if (error) throw error;
}
