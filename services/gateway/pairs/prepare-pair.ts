import type { FastifyRequest } from 'fastify';
import { errorKinds } from '#schemas/errors.ts';
import type { FieldProblem } from '#schemas/http/common.ts';
import type { PairCheckReport } from '#schemas/http/pairs.ts';
import type { PairInput } from '#schemas/pairs.ts';
import { openSource, openTarget, readConnection, storedConnection, type Connection } from '../ends.ts';
import { invalidFields } from '../fields.ts';
import type { GatewayDeps } from '../gateway.ts';
import { checkWholePair } from './check-pair.ts';

/** One end of a pair that is to be made. */
export type PreparedEnd =
  { readonly kind: 'registered'; readonly id: string } | { readonly kind: 'inline'; readonly connection: Connection };

export interface PreparedPair {
  readonly source: PreparedEnd;
  readonly target: PreparedEnd;
  readonly report: PairCheckReport;
}

/** Everything about a pair that can be looked at before it is made. Makes nothing. */
export async function preparePair(deps: GatewayDeps, request: FastifyRequest, input: PairInput): Promise<PreparedPair> {
  const problems: FieldProblem[] = [];
  const source = await findEnd(deps, input.source, 'source', problems);
  const target = await findEnd(deps, input.target, 'target', problems);
  if (!source || !target) {
    return { ...none, report: { ok: false, problems, source: [], target: [], lossy: [], tables: [] } };
  }
  const report = await checkWholePair(
    {
      definition: { version: 1, tables: input.tables, config: input.config },
      source: openSource(source.connection),
      target: openTarget(target.connection),
      sameEnd: isSamePlace(source.connection, target.connection),
      loaded: false,
    },
    { clock: deps.clock, log: request.log, signal: request.signal },
  );
  return { source: source.end, target: target.end, report };
}

/** @throws PAIR_INVALID, or the one code that all problems have, naming every field that is wrong */
export function refuseProblems({ problems }: PairCheckReport): void {
  if (problems.length > 0) throw invalidFields(problems, 'pair', 'PAIR_INVALID');
}

const nobody: PreparedEnd = { kind: 'registered', id: '' };
const none = { source: nobody, target: nobody };

async function findEnd(
  { control }: GatewayDeps,
  given: PairInput['source'],
  field: 'source' | 'target',
  problems: FieldProblem[],
): Promise<{ end: PreparedEnd; connection: Connection } | undefined> {
  if (typeof given !== 'string') {
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

/** Told by the connections as they are stored; the same place by another name is the operator's secret. */
export function isSamePlace(a: Connection, b: Connection): boolean {
  return a.connector.name === b.connector.name && JSON.stringify(place(a)) === JSON.stringify(place(b));
}

function place({ connector, settings }: Connection): unknown {
  const aside = new Set([...connector.secretFields, 'password_file', 'application_name']);
  return Object.entries(settings)
    .filter(([name]) => !aside.has(name) && !name.startsWith('ssl_'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
