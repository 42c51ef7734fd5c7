/** Commands that run a process until it is told to stop. They take no arguments. */
export const processes = {
  gateway: {
    what: 'the gateway: API and dashboard; starts and watches a sync-service unless SYNC_SERVICE_URL names one',
    run: async () => (await import('./commands/processes.ts')).runGateway(),
  },
  'sync-service': {
    what: 'the sync-service: runs the pairs',
    run: async () => (await import('./commands/processes.ts')).runSyncService(),
  },
  reader: {
    what: 'one stage as a process of its own, with Kafka: reads the sources into their topics',
    run: async () => (await import('./commands/processes.ts')).runStage('reader'),
  },
  'stream-processor': {
    what: 'one stage as a process of its own, with Kafka: maps, filters and checks what was read',
    run: async () => (await import('./commands/processes.ts')).runStage('stream-processor'),
  },
  writer: {
    what: 'one stage as a process of its own, with Kafka: writes to the targets',
    run: async () => (await import('./commands/processes.ts')).runStage('writer'),
  },
} as const satisfies Readonly<Record<string, { readonly what: string; run(): Promise<void> }>>;

export const isProcess = (name: string): name is keyof typeof processes => Object.hasOwn(processes, name);
