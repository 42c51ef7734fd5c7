import type { DeadLetterState, DeadLetterView } from '#schemas/http/dead-letters.ts';
import { get, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { withQuery } from '../app/paths.ts';

export interface DeadLetterFilter {
  readonly pair?: string | undefined;
  readonly state?: DeadLetterState | undefined;
  readonly cursor?: string | undefined;
}

export const listDeadLetters = (filter: DeadLetterFilter, options?: AskOptions): Promise<ListPage<DeadLetterView>> =>
  get(withQuery('/api/dead-letters', { ...filter }), options);
