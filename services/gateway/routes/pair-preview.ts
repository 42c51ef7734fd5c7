import type { FastifyRequest } from 'fastify';
import type { Source, TableShape } from '#connectors/contract/source.ts';
import { errorKinds, TerraFusionError } from '#schemas/errors.ts';
import type { FieldProblem } from '#schemas/http/common.ts';
import { pairPreviewBody, pairPreviewReply, type PairPreviewBody } from '#schemas/http/pair-preview.ts';
import type { TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName } from '#schemas/tables.ts';
import { everyTable } from '#services/pair-check/entries.ts';
import { previewTable, showRows } from '#services/pair-check/preview.ts';
import { checkPair } from '#services/stream-processor/check.ts';
import { look, openSource } from '../ends.ts';
import { invalidFields } from '../fields.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { findEnd } from '../pairs/prepare-pair.ts';
import { replies, words } from '../schema.ts';

/** How long the source may read for rows, in ms. */
const SAMPLE_MS = 3000;
/** As of a pair's body. */
const PREVIEW_BODY_LIMIT = 16 * 1024 * 1024;

export function pairPreviewRoutes(app: App, deps: GatewayDeps): void {
  app.post(
    '/api/sync-pairs/preview',
    {
      bodyLimit: PREVIEW_BODY_LIMIT,
      schema: {
        ...words(
          'Sync pairs',
          "Preview a table on the source's rows",
          "Takes some rows of the source through the pair's own chain and shows each before and after, with the rule and the reason where it " +
            'is rejected. Only reads, for at most 3 seconds. What is wrong in the table is an answer too: by field, and the rows as they are.',
        ),
        body: pairPreviewBody,
        response: replies({ 200: pairPreviewReply }),
      },
    },
    async (request) => {
      const { body } = request;
      const input = tableOf(body);
      const source = await sourceOf(request, body);
      const tools = { clock: deps.clock, log: request.log, signal: request.signal };
      const { shape, blocks } = await look('source', tools, async (context) => {
        const [shape] = await source.describe([parseTableName(body.table)], context);
        // One more tells whether there are others.
        const limits = { rows: Math.max(body.sample, body.limit) + 1, ms: SAMPLE_MS };
        return { shape: shape!, blocks: await source.sampleRows!(shape!, limits, context) };
      });
      const problems = problemsOf(body, input, shape);
      const seen =
        problems.length > 0
          ? showRows(shape, blocks, body.limit)
          : previewTable({ input, shape, config: body.pair.config, blocks, limit: body.limit });
      return {
        ok: problems.length === 0,
        problems,
        ...seen,
        whole: seen.counts.read <= Math.max(body.sample, body.limit),
      };
    },
  );
}

/** @throws REQUEST_INVALID when the pair does not have the table */
function tableOf({ pair: { tables }, table }: PairPreviewBody): TableInput {
  const wanted = parseTableName(table);
  if (tables === undefined) return everyTable(wanted).input;
  const name = formatTableName(wanted);
  const input = tables.find(({ source }) => formatTableName(parseTableName(source)) === name);
  if (input) return input;
  throw invalidFields([
    {
      path: 'table',
      code: 'REQUEST_INVALID',
      message: `the pair has no table ${name}`,
      fix: 'Name the source table of one of pair.tables.',
    },
  ]);
}

async function sourceOf(request: FastifyRequest, { pair }: PairPreviewBody): Promise<Source> {
  const problems: FieldProblem[] = [];
  const end = await findEnd(request, pair.source, 'source', problems);
  if (!end)
    throw invalidFields(
      problems.map((problem) => ({ ...problem, path: `pair.${problem.path}` })),
      'pair',
    );
  const source = openSource(end.connection);
  if (!source.sampleRows) {
    throw new TerraFusionError('PAIR_INVALID', `A ${end.connection.connector.name} system cannot show rows`);
  }
  return source;
}

/** What is wrong with this table, each by the body's own path. */
function problemsOf({ pair, table }: PairPreviewBody, input: TableInput, shape: TableShape): FieldProblem[] {
  const index = pair.tables?.findIndex((each) => each === input) ?? -1;
  const path = index < 0 ? `the table ${table}` : `pair.tables[${index}]`;
  return checkPair({ version: 1, tables: [input], config: pair.config }, [shape.table]).map((problem) => ({
    ...problem,
    path: problem.path.replace(/^tables\[0\]/, () => path),
    fix: errorKinds[problem.code].fix,
  }));
}
