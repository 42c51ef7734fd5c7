import type { Family } from '../fault.ts';
import { clockJumps } from './clocks.ts';
import { fullDisks } from './disks.ts';
import { failover } from './failover.ts';
import { history } from './history.ts';
import { kafka } from './kafka.ts';
import { kafkaCluster } from './kafka-cluster.ts';
import { network } from './network.ts';
import { processes } from './processes.ts';
import { schema } from './schema.ts';
import { servers } from './servers.ts';
import { sessions } from './sessions.ts';
import { targetStates } from './target-states.ts';

/** Every fault there is: what the suite runs, what the report and the documentation show. */
export const families: readonly Family[] = [
  processes,
  servers,
  sessions,
  network,
  targetStates,
  schema,
  history,
  failover,
  fullDisks,
  clockJumps,
  kafka,
  kafkaCluster,
];
