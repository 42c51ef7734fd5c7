import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { CatalogLooked } from '#connectors/contract/source.ts';
import { asTerraFusionError } from '#schemas/errors.ts';
import type { WorkEnvironment } from './environment.ts';
import type { Generation, SupervisedPair } from './ports.ts';
import { followsNewTables } from './schema-policy.ts';
import type { WorkUnit } from './work.ts';

/** At most so large a part of its time is the source asked for its catalog, however large that is. (Promise 7) */
const SHARE = 1 / 20;

export interface CatalogUnitOptions {
  readonly sourceId: string;
  readonly generation: Generation;
  /** Those of the source that stream. */
  readonly pairs: readonly SupervisedPair[];
  readonly env: WorkEnvironment;
}

/**
 * Looks at a source's catalog where our role may not have it tell of altered tables by itself: what the stream does not announce (new and
 * dropped tables, partitions, what may be NULL, labels of enums, defaults) comes into the stream by these looks. (CHECKLIST 19)
 */
export function catalogUnit(options: CatalogUnitOptions): WorkUnit {
  const { sourceId, generation } = options;
  return {
    name: `catalog:${sourceId}`,
    version: `generation ${generation.generation}${takesAll(options) ? ', every table' : ''}`,
    run: (signal) => watch(options, signal),
    interrupted: () => Promise.resolve(),
    halted: () => Promise.resolve(),
  };
}

const takesAll = ({ pairs }: CatalogUnitOptions): boolean => pairs.some(followsNewTables);

async function watch(options: CatalogUnitOptions, signal: AbortSignal): Promise<void> {
  const { sourceId, generation, env } = options;
  const { control, clock, log, catalogPollMs } = env;
  const context: ConnectorContext = { clock, log, signal };
  let trouble = '';
  const stopped = () => signal.aborted;
  while (!stopped()) {
    const begun = clock.monotonic();
    try {
      // Opened anew each time: its connection may have been changed.
      const source = await control.openSource(sourceId);
      if (source.tellAltered === undefined) return;
      const known = await control.knownCatalog(sourceId);
      const look = { publication: generation.stream.publication, all: takesAll(options), known };
      const looked = await source.tellAltered(look, context);
      if (looked && looked.told > 0) {
        await control.recordCatalog(sourceId, looked.known);
        log.info({ source: sourceId, tables: looked.told }, 'Tables of the source are new, altered or gone.');
      } else if (looked && !sameKeys(looked, known)) await control.recordCatalog(sourceId, looked.known);
      trouble = '';
    } catch (thrown) {
      const error = asTerraFusionError(thrown);
      if (!stopped() && error.code !== trouble)
        log.warn({ source: sourceId, code: error.code, error }, 'The catalog of the source could not be looked at.');
      trouble = error.code;
    }
    const took = clock.monotonic() - begun;
    await clock.sleep(Math.max(catalogPollMs, took / SHARE), signal).catch(() => undefined);
  }
}

const sameKeys = ({ known }: CatalogLooked, before: CatalogLooked['known']): boolean =>
  Object.keys(known).length === Object.keys(before).length;
