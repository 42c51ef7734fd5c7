import type { TestProject } from 'vitest/node';
import { startPostgres, type Settings } from './postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser's URL of the cluster that sources live in. */
    readonly sourceServer: string;
    /** Superuser's URL of the cluster that targets live in. */
    readonly targetServer: string;
  }
}

/** No test pulls the plug of the machine; killed processes, servers included, lose nothing without fsync. */
export const FAST: Settings = { fsync: 'off', synchronous_commit: 'on', full_page_writes: 'off', max_wal_size: '4GB' };

/** Vitest global set-up: one source and one target cluster for all files of a project; each file makes its own databases in them. */
export default async function startSharedServers(project: TestProject): Promise<() => Promise<void>> {
  const [source, target] = await Promise.all([startPostgres({ settings: FAST }), startPostgres({ settings: FAST })]);
  project.provide('sourceServer', source.url());
  project.provide('targetServer', target.url());
  return async () => {
    await Promise.all([source.stop(), target.stop()]);
  };
}
