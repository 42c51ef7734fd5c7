import type { DeadLettersSummary, DeadLetterState, DeadLetterView, ReplayedReply } from '#schemas/http/dead-letters.ts';
import { get, post, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { pathOf, withQuery } from '../app/paths.ts';

/** What letters are chosen by, apart from their state. */
export interface DeadLetterChoice {
  readonly pair?: string | undefined;
  readonly table?: string | undefined;
  readonly code?: string | undefined;
  readonly rule?: string | undefined;
  readonly sqlstate?: string | undefined;
  readonly text?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

export interface DeadLetterFilter extends DeadLetterChoice {
  readonly state?: DeadLetterState | undefined;
  readonly cursor?: string | undefined;
}

/** A row by its column names; null is NULL. */
export type Cells = Readonly<Record<string, string | null>>;

export const listDeadLetters = (filter: DeadLetterFilter, options?: AskOptions): Promise<ListPage<DeadLetterView>> =>
  get(withQuery('/api/dead-letters', { ...filter }), options);

export const deadLettersSummary = (filter: DeadLetterFilter, options?: AskOptions): Promise<DeadLettersSummary> =>
  get(withQuery('/api/dead-letters/summary', { ...filter }), options);

/** All that match, as a table for a spreadsheet. */
export const deadLettersCsvPath = (filter: DeadLetterFilter): string =>
  withQuery('/api/dead-letters', { ...filter, format: 'csv' });

export const readDeadLetter = (letter: string, options?: AskOptions): Promise<DeadLetterView> =>
  get(pathOf('/api/dead-letters/:letter', { letter }), options);

/** The target is written to before the answer comes. */
const writing: AskOptions = { within: 60_000 };

/** @param row written instead of the stored one */
export const replayDeadLetter = (letter: string, row?: Cells): Promise<DeadLetterView> =>
  post(pathOf('/api/dead-letters/:letter/replay', { letter }), row === undefined ? {} : { row }, writing);

export const discardDeadLetter = (letter: string): Promise<DeadLetterView> =>
  post(pathOf('/api/dead-letters/:letter/discard', { letter }));

export const discardDeadLetters = (filter: DeadLetterChoice, through: string): Promise<{ discarded: number }> =>
  post('/api/dead-letters/discard', { filter, through }, writing);

/** A part of them; `after` of the reply goes on. */
export const replayDeadLetters = (
  filter: DeadLetterChoice,
  through: string,
  after: string | undefined,
): Promise<ReplayedReply> =>
  post('/api/dead-letters/replay', { filter, through, ...(after === undefined ? {} : { after }) }, writing);
