import type { FastifyRequest } from 'fastify';
import { errorKinds, TerraFusionError } from '#schemas/errors.ts';
import type { FieldProblem } from '#schemas/http/common.ts';
import type { PairCheckReport } from '#schemas/http/pairs.ts';
import type { PairInput } from '#schemas/pairs.ts';
import { checkWholePair, type PairToCheck } from '#services/pair-check/check-pair.ts';
import type { Surroundings } from '#services/pair-check/overlap.ts';
import { surroundingsOf } from '#services/pair-check/place.ts';
import {
  look,
  openSource,
  openTarget,
  PROOF_TIMEOUT,
  readConnection,
  storedConnection,
  type Connection,
} from '../ends.ts';
import { invalidFields } from '../fields.ts';
import type { GatewayDeps } from '../gateway.ts';

/** One end of a pair that is to be made. */
export type PreparedEnd =
  { readonly kind: 'registered'; readonly id: string } | { readonly kind: 'inline'; readonly connection: Connection };

export interface PreparedPair {
  readonly source: PreparedEnd;
  readonly target: PreparedEnd;
  readonly report: PairCheckReport;
}

/** Everything about a pair that can be looked at before it is made. Makes nothing. */
export async function preparePair(
  deps: GatewayDeps,
  request: FastifyRequest,
  input: PairInput,
  { proof }: { readonly proof: boolean },
): Promise<PreparedPair> {
  const problems: FieldProblem[] = [];
  const source = await findEnd(request, input.source, 'source', problems);
  const target = await findEnd(request, input.target, 'target', problems);
  if (!source || !target) {
    return { ...none, report: { ok: false, problems, source: [], target: [], lossy: [], schema: null, tables: [] } };
  }
  const report = await checkEnds(deps, request, source.connection, target.connection, {
    definition: { version: 1, tables: input.tables, config: input.config },
    loaded: false,
    stream:
      source.end.kind === 'registered' ? (await deps.control.generations.latest(source.end.id))?.stream : undefined,
    proof,
    plan: proof,
  });
  return { source: source.end, target: target.end, report };
}

/** The whole check of a pair between two connections. @param own the pair's id, once it has one */
export async function checkEnds(
  deps: GatewayDeps,
  request: FastifyRequest,
  source: Connection,
  target: Connection,
  pair: Pick<PairToCheck, 'definition' | 'loaded' | 'stream' | 'proof' | 'plan'>,
  own?: string,
): Promise<PairCheckReport> {
  const tools = { clock: deps.clock, log: request.log, signal: request.signal };
  const surroundings = await surroundingsFor(deps, request, source, target, own);
  return checkWholePair(
    { ...pair, source: openSource(source), target: openTarget(target), surroundings },
    (end, work, slow = false) => look(end, tools, work, slow ? PROOF_TIMEOUT : undefined),
  );
}

/** What the pair must not meet is looked for among all pairs; those that the caller may not see keep their names. */
async function surroundingsFor(
  { control }: GatewayDeps,
  request: FastifyRequest,
  source: Connection,
  target: Connection,
  own: string | undefined,
): Promise<Surroundings> {
  const surroundings = await surroundingsOf(control, source, target, own);
  if (!request.principal!.systems) return surroundings;
  const seen = new Set((await request.control.pairs.all()).map(({ name }) => name));
  return {
    ...surroundings,
    others: surroundings.others.map((other) => (seen.has(other.name) ? other : { ...other, name: '(not shown)' })),
  };
}

/** @throws PAIR_INVALID, or the one code that all problems have, naming every field that is wrong */
export function refuseProblems({ problems }: PairCheckReport): void {
  if (problems.length > 0) throw invalidFields(problems, 'pair', 'PAIR_INVALID');
}

const nobody: PreparedEnd = { kind: 'registered', id: '' };
const none = { source: nobody, target: nobody };

export async function findEnd(
  { control, principal }: FastifyRequest,
  given: PairInput['source'],
  field: 'source' | 'target',
  problems: FieldProblem[],
): Promise<{ end: PreparedEnd; connection: Connection } | undefined> {
  if (typeof given !== 'string') {
    if (principal!.systems) {
      throw new TerraFusionError('FORBIDDEN', `${field}: the key is limited to systems, name one of them here`);
    }
    const connection = await readConnection(given.connector, given.connection, [field]);
    return { end: { kind: 'inline', connection }, connection };
  }
  const system = await control.systems.find(given);
  if (system) {
    return { end: { kind: 'registered', id: system.id }, connection: await storedConnection(control, system.id) };
  }
  problems.push({
    path: field,
    code: 'PAIR_INVALID',
    message: `There is no system "${given}"`,
    fix: `${errorKinds.PAIR_INVALID.fix} Register the system first, or give {connector, connection}.`,
  });
  return undefined;
}
