import { startPostgres, type Settings, type TestPostgres } from '#test/support/postgres.ts';

/** The same for both clusters, and for everybody who is measured. */
export const clusterSettings: Settings = {
  fsync: 'on',
  shared_buffers: '1GB',
  max_wal_size: '32GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  wal_level: 'logical',
  wal_sender_timeout: '60s',
  // For fifty subscriptions, each with a worker at the target and a process at the source.
  max_worker_processes: 80,
  max_logical_replication_workers: 64,
};

export interface Clusters extends AsyncDisposable {
  readonly source: TestPostgres;
  readonly target: TestPostgres;
  /** For the pipeline's control database: apart, so that the two others show replication only. */
  readonly control: TestPostgres;
  /** The servers' version. */
  version(): Promise<string>;
  /** Both on disk, so that no run pays for the one before it. */
  checkpoint(): Promise<void>;
}

export async function openClusters(): Promise<Clusters> {
  const [source, target, control] = await Promise.all([
    startPostgres({ settings: clusterSettings }),
    startPostgres({ settings: clusterSettings }),
    startPostgres(),
  ]);
  const [atSource, atTarget] = [await source.createDatabase('bench'), await target.createDatabase('bench')];
  return {
    source,
    target,
    control,
    version: () => atSource.value('SHOW server_version'),
    checkpoint: async () => {
      await Promise.all([atSource.query('CHECKPOINT'), atTarget.query('CHECKPOINT')]);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([source.stop(), target.stop(), control.stop()]);
    },
  };
}
