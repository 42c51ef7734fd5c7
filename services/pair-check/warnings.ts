import type { PairCheckReport, PairWarning } from '#schemas/http/pairs.ts';

/** Warnings that are kept with a pair, at most. */
const MOST = 500;

/** What works, and somebody should know: lossy columns, and checks of tables that are no obstacle. (Promise 9) */
export function warningsOf({ tables }: Pick<PairCheckReport, 'tables'>): PairWarning[] {
  const warnings = tables.flatMap(({ target, checks, columns }) => [
    ...checks
      .filter(({ ok, required }) => !ok && !required)
      .map(({ name, message }): PairWarning => ({ table: target, column: null, name, message })),
    ...columns.flatMap(({ target: column, source_type, target_type, proof }): PairWarning[] => {
      if (proof === undefined || proof.result === 'lossless') return [];
      const types = `${source_type} to ${target_type ?? 'nothing'}`;
      const how = proof.how === undefined ? '' : `: ${proof.how}`;
      return [{ table: target, column, name: 'proof', message: `${types} is ${proof.result.replace('_', ' ')}${how}` }];
    }),
  ]);
  return warnings.slice(0, MOST);
}
