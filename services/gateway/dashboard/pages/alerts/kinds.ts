/** An alert by its code: what it is called, and what its runbook says to do first. */
export interface AlertKind {
  readonly title: string;
  readonly steps: readonly string[];
}

const kinds: Readonly<Record<string, AlertKind>> = {
  component_down: {
    title: 'A part does not answer',
    steps: [
      'Look at the state of the parts on the overview: the message says which one is down, and why.',
      'The sync-service is started again by itself. The control database and the bus come back when their server does: nothing is lost meanwhile.',
    ],
  },
  no_heartbeat: {
    title: 'A stage has fallen silent',
    steps: [
      'See whether its process runs, and whether it reaches the control database.',
      'Was it taken away on purpose, start another one of the same stage: it takes the work over.',
    ],
  },
  restarts: {
    title: 'The sync-service is started again and again',
    steps: [
      'The audit trail names the reason of each restart.',
      '“killed by SIGKILL” without anybody’s doing is memory: let pairs that load do less at once. “did not answer”: the machine is overloaded.',
    ],
  },
  pair_failed: {
    title: 'A pair has failed',
    steps: [
      'Open the pair: it shows what is in its way, and the fix. Its place is kept, nothing is lost.',
      'When the cause is gone, “Try again” goes on after the last position that the target holds.',
      'Does it fail with the same code, have both systems checked: each precondition that is not met is named.',
    ],
  },
  pair_interrupted: {
    title: 'A pair is held up',
    steps: [
      'It is tried again by itself, with growing waits. The pair’s page shows the error.',
      'Look at the end that it names: its network, its locks, its disk.',
    ],
  },
  replication_lag: {
    title: 'A pair is behind its source',
    steps: [
      'Changes wait in the topic; nothing is lost. One large transaction at the source makes lag grow until it is through, and then fall at once.',
      'Does it go on growing: look for locks, a full disk or a missing index on the keys at the target.',
      'All pairs of one source behind: it is the reader or the bus. One of them: its target or its mapping.',
    ],
  },
  dead_letters_growing: {
    title: 'Rows are being set aside',
    steps: [
      'Many with one reason: it is the rule, the mapping, or the schema of the target. Mend it there, then replay all of them.',
      'A single row: correct it at the source, then discard the letter.',
    ],
  },
  dead_letters: {
    title: 'Dead letters are open',
    steps: [
      'Many with one reason: it is the rule, the mapping, or the schema of the target. Mend it there, then replay all of them.',
      'A single row: correct it at the source, then discard the letter.',
    ],
  },
  slot_wal_budget: {
    title: 'A source keeps much WAL for us',
    steps: [
      'See what holds the slot back before the budget is used up: a reader that is down, a full bus (a slow or paused pair), or a transaction left open at the source.',
      'The pair’s slot shows how fast it grows, and how long it lasts.',
      'Raise the budget of the system only if the disk of the source can spare it.',
    ],
  },
  source_waiting: {
    title: 'A source is not read',
    steps: [
      'The message says what its reader waits for. It goes on by itself as soon as that is there.',
      'Waits it for room on the bus (BUS_FULL), bring the slowest pair of the source back, or delete it.',
    ],
  },
  removal_waiting: {
    title: 'A deleted pair cannot be cleared away',
    steps: [
      'The message names the end that cannot be reached. Bring it back, and it goes on by itself.',
      'Is that end gone for good, delete the pair with force: what is there is left there.',
    ],
  },
  bus_budget: {
    title: 'The bus fills up',
    steps: [
      'The slowest pair of a source holds its topic, also when it is paused or failed: bring it back, or delete it.',
      'Is it only a backlog, and there is disk, raise BUS_MAX_BYTES and start anew.',
    ],
  },
  failed_operations: {
    title: 'Operations fail',
    steps: [
      'Look at the failed operations: each has its code and its fix. One code for all of them is one cause.',
      'A program that starts them again and again makes them many: “Asked by” says which key.',
    ],
  },
  response_time: {
    title: 'Answers are slow',
    steps: [
      'The message says whose: the control database (locks, a full disk), the sync-service, or the gateway.',
      'Let loads do less at once while the machine is busy.',
    ],
  },
  cpu: {
    title: 'The CPU is busy',
    steps: [
      'See which process it is. A load takes what it gets: fewer tables at once, a rate, or a load window hold it back.',
    ],
  },
  memory: {
    title: 'Memory is short',
    steps: [
      'What our processes hold is bounded by settings. A database on the same machine takes what it is configured to.',
    ],
  },
  disk: {
    title: 'The disk fills up',
    steps: [
      'Make room before it is full: then everything stops, and the sources keep their WAL.',
      'The data folder holds the bus, the control database and seven days of logs; the settings page names it.',
    ],
  },
  auth_not_required: {
    title: 'Keys are not required',
    steps: [
      'Whoever reaches the port is an administrator. That is for trying things on one machine.',
      'Set AUTH_REQUIRED=true (or leave it out), and start the gateway again.',
    ],
  },
  healing_off: {
    title: 'Something is not done by itself',
    steps: [
      'The message names what is switched off; the self-healing page says what comes of that, the audit trail who did it.',
      'Has it served its purpose, switch it on again. Pairs that have failed meanwhile are resumed by hand.',
    ],
  },
  alert_delivery: {
    title: 'Alerts are not delivered',
    steps: [
      'The message says what the other side answered. Try it from the machine of the gateway.',
      'Correct URL, user or secret in the settings; they are read at the start of the gateway.',
    ],
  },
};

const unknown: AlertKind = { title: 'Something needs a look', steps: ['The message says what is, and what to do.'] };

export const alertKind = (code: string): AlertKind => kinds[code] ?? unknown;
