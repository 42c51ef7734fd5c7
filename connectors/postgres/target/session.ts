import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { connect, describeAddress, endClient } from '../connection.ts';
import { resolveAddress, type PostgresSettings } from '../settings.ts';
import { askServer, identifyBackend, Patience, watchSilence, type Backend, type Verdict } from '../silence.ts';
import { Pipeline } from './pipeline.ts';

/** What a target can be told beside its connection. */
export interface TargetOptions {
  /** Longest wait for a lock at the target, in milliseconds; then the batch is given up and repeated (TARGET_BUSY). */
  readonly lockTimeoutMs?: number;
  /** How long a session of an earlier process rests in a transaction before it is ended, in milliseconds. */
  readonly stillMs?: number;
  /** How long its sessions wait in silence. */
  readonly patience?: Patience;
}

export const LOCK_TIMEOUT_MS = 30_000;

/**
 * Statements of the writer are planned once, and never read a table as a whole where an index leads to the rows: a plan made while
 * the table was small would else stay when it has grown. Triggers at the target run under the same settings.
 */
const plannedOnce: Readonly<Record<string, string>> = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // Switched off plans look so expensive that every statement would be compiled.
  jit: 'off',
};

/** A session that is written to without waiting. */
export interface PipelineSession extends AsyncDisposable {
  readonly pipeline: Pipeline;
}

/**
 * Opens a session, lets `prepare` look around with the ordinary client, then takes it over as a pipeline. When the signal is aborted the
 * session breaks, and with it whatever is under way.
 */
export async function openPipeline<T>(
  settings: PostgresSettings,
  context: Pick<ConnectorContext, 'signal' | 'healing'>,
  options: TargetOptions,
  purpose: string,
  prepare: (client: pg.Client) => Promise<T>,
): Promise<PipelineSession & { readonly prepared: T }> {
  const client = await connect(settings, context, {
    role: 'target',
    purpose,
    lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
    session: plannedOnce,
  });
  let prepared: T;
  let backend: Backend;
  try {
    // A later server has one more limit that would end a long transaction.
    await client.query(`SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'`);
    backend = await identifyBackend(client);
    prepared = await prepare(client);
  } catch (error) {
    await endClient(client);
    throw error;
  }
  const pipeline = new Pipeline(client);
  const ask = (): Promise<Verdict> => askServer(settings, 'target', backend);
  const watch = watchSilence(pipeline, ask, options.patience ?? new Patience(), {
    role: 'target',
    address: describeAddress(resolveAddress(settings)),
    healing: context.healing,
  });
  const { signal } = context;
  const abort = (): void => {
    pipeline.abandon();
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return {
    pipeline,
    prepared,
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', abort);
      watch[Symbol.dispose]();
      await pipeline.close();
    },
  };
}
