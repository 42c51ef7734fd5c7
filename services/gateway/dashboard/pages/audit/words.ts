import { words } from '../../format.ts';

/** What the trail tells about, as people call it. */
export const entityWords: Readonly<Record<string, string>> = {
  system: 'System',
  sync_pair: 'Pair',
  sync_operation: 'Operation',
  api_key: 'Key',
  dead_letter: 'Dead letter',
  session: 'Session',
  component: 'Component',
  audit: 'Audit trail',
  alert: 'Alert',
  self_healing: 'Self-healing',
};

const verbs: Readonly<Record<string, string>> = {
  create: 'made',
  update: 'changed',
  delete: 'deleted',
  start: 'started',
  pause: 'paused',
  resume: 'resumed',
  resync: 'is to be loaded anew',
  approve: 'schema change approved',
  start_full: 'full load asked for',
  start_incremental: 'incremental sync asked for',
  cancel: 'cancelled',
  stop: 'stopped',
  replay: 'replayed',
  discard: 'discarded',
  discard_all: 'discarded, many',
  rotate: 'given another secret',
  revoke: 'revoked',
  end: 'ended',
  restart: 'restarted',
  switch: 'switched',
  done: 'at work',
  dead_letters: 'has set rows aside',
};

/** "sync_pair.pause" → "Pair paused". */
export function actionText(action: string): string {
  const dot = action.indexOf('.');
  if (dot < 0) return words(action);
  const [entity, verb] = [action.slice(0, dot), action.slice(dot + 1)];
  const what = entityWords[entity] ?? words(entity);
  const text = `${what} ${verbs[verb] ?? words(verb)}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
