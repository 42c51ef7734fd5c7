import type { ListedTable } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { idParams } from '#schemas/http/common.ts';
import { systemTablesPage, systemTablesQuery, type SystemTableView } from '#schemas/http/system-tables.ts';
import { formatTableName } from '#schemas/tables.ts';
import { decodeCursor, encodeCursor } from '#services/control/pages.ts';
import { look, openSource, storedConnection } from '../ends.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { replies, words } from '../schema.ts';
import { checkViews } from '../views.ts';

/** What there is at a source to make a pair of. */
export function systemTableRoutes(app: App, { clock }: GatewayDeps): void {
  app.get(
    '/api/systems/:id/tables',
    {
      schema: {
        ...words(
          'Systems',
          'Tables of a system',
          'With key, columns, size and what would keep each out of a pair, by name, page by page. Only the catalog is read.',
        ),
        params: idParams,
        querystring: systemTablesQuery,
        response: replies({ 200: systemTablesPage }),
      },
    },
    async ({ control, params, query: { limit, cursor, schema, text }, log, signal }) => {
      const connection = await storedConnection(control, params.id);
      const source = openSource(connection);
      if (!source.listTables) {
        throw new TerraFusionError('PAIR_INVALID', `A ${connection.connector.name} system has no list of its tables`);
      }
      const last = cursor === undefined ? undefined : decodeCursor(cursor, 'text', 'text');
      const after = last && { schema: last[0]!, name: last[1]! };
      const found = await look('source', { clock, log, signal }, (context) =>
        source.listTables!({ schema, text, after, limit }, context),
      );
      const end = found.tables.at(-1)?.shape.table;
      return {
        items: found.tables.map(viewOf),
        next_cursor: found.more && end ? encodeCursor([end.schema, end.name]) : null,
        schemas: [...found.schemas],
      };
    },
  );
}

function viewOf({
  shape: { table, primaryKey, typeNames, notNull, estimatedRows },
  bytes,
  checks,
}: ListedTable): SystemTableView {
  return {
    table: formatTableName(table),
    schema: table.schema,
    name: table.name,
    key: [...primaryKey],
    estimated_rows: Math.round(estimatedRows),
    bytes: Math.round(bytes),
    columns: table.columns.map(({ name, key }) => ({
      name,
      type: typeNames.get(name)!,
      not_null: notNull.has(name),
      key,
    })),
    warnings: checkViews(checks.filter(({ ok }) => !ok)),
  };
}
