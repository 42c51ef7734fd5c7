import type { FastifyRequest } from 'fastify';
import type { FieldProblem } from '#schemas/http/common.ts';
import type { PairCheckReport, PairPatch } from '#schemas/http/pairs.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { openTarget, storedConnection } from '../ends.ts';
import type { GatewayDeps } from '../gateway.ts';
import { checkEnds } from './prepare-pair.ts';
import { filledTables } from './table-changes.ts';

type Definition = Pick<PairDefinition, 'tables' | 'config'>;

export function definitionWith({ tables, config }: PairDefinition, patch: PairPatch): Definition {
  const given = Object.entries(patch.config ?? {}).filter(([, value]) => value !== undefined);
  return {
    tables: patch.tables === undefined ? tables : (patch.tables ?? undefined),
    config: { ...config, ...Object.fromEntries(given) },
  };
}

/** The whole check of a pair as it would be after a change. Changes nothing. */
export async function checkChange(
  deps: GatewayDeps,
  request: FastifyRequest,
  pair: PairOverview,
  patch: PairPatch,
  { proof }: { readonly proof: boolean },
): Promise<PairCheckReport> {
  const { control, clock } = deps;
  const definition = definitionWith(pair.definition, patch);
  const source = await storedConnection(control, pair.sourceId);
  const target = await storedConnection(control, pair.targetId);
  const report = await checkEnds(
    deps,
    request,
    source,
    target,
    {
      definition: { ...definition, version: pair.definition.version + 1 },
      loaded: pair.load.state !== 'requested' || pair.load.number > 1,
      stream: (await control.generations.latest(pair.sourceId))?.stream,
      proof,
      plan: false,
    },
    pair.id,
  );
  // What cannot be looked at is told by the report.
  if (report.problems.length > 0 || patch.tables === undefined || pair.load.state !== 'done') return report;
  const after = { definition: { ...definition, version: 0 }, members: report.tables.map((table) => table.source) };
  const filled = await filledTables(openTarget(target), pair, after, {
    clock,
    log: request.log,
    signal: request.signal,
  });
  return filled.length === 0 ? report : withProblems(report, filled);
}

const withProblems = (report: PairCheckReport, problems: readonly FieldProblem[]): PairCheckReport => ({
  ...report,
  ok: false,
  problems: [...report.problems, ...problems],
});
