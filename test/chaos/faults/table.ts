import type { Family } from '../fault.ts';
import { network } from './network.ts';
import { processes } from './processes.ts';
import { servers } from './servers.ts';
import { sessions } from './sessions.ts';

/** Every fault there is: what the suite runs, what the report and the documentation show. */
export const families: readonly Family[] = [processes, servers, sessions, network];
