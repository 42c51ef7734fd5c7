import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { checkWholePair } from '#services/pair-check/check-pair.ts';
import { problemsFound } from '#services/pair-check/problems-found.ts';
import { warningsOf } from '#services/pair-check/warnings.ts';
import type { WorkEnvironment } from './environment.ts';
import type { SupervisedPair } from './ports.ts';

/**
 * Looks at everything that must be so before a pair can run, before anything is made at either end: what cannot work leaves nothing
 * half-made behind. What works and is worth knowing (a column that is lossy, a trigger that will fire) is kept with the pair and in the
 * audit trail, not silently accepted.
 * @throws {TerraFusionError} the first thing that is wrong, with all that is wrong in the message and in the details
 */
export async function assertPossible(
  pair: SupervisedPair,
  { source, target }: { readonly source: Source; readonly target: Target },
  { control }: Pick<WorkEnvironment, 'control'>,
  context: ConnectorContext,
): Promise<void> {
  const { definition, load, checked } = pair;
  // A load that goes on after a restart was proven when it began.
  const known = checked?.version === definition.version && checked.load === load.number;
  const report = await checkWholePair(
    {
      definition,
      source,
      target,
      // Rows at the target may be those of an earlier try of this load, or of the load before; the load itself looks once more.
      loaded: load.state !== 'requested' || load.number > 1,
      surroundings: await control.surroundings(pair),
      stream: (await control.generation(pair.sourceId))?.stream,
      proof: !known,
      // It is made next, and told by what became of it.
      plan: false,
    },
    (_end, work) => work(context),
  );
  if (!report.ok) throw problemsFound(report);
  if (known) return;
  const warnings = warningsOf(report);
  await control.recordChecked(pair.id, { version: definition.version, load: load.number, warnings });
  await control.audit('pair.checked', pair.id, { load: load.number, warnings });
}
