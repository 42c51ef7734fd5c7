import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import { refusalOf } from './sqlstate.ts';

/** Why a change was set aside, and what can be done, in words. */
export interface Why {
  /** One sentence: what happened. */
  readonly title: string;
  readonly meaning: string;
  /** The ways out, the usual one first. */
  readonly mend: readonly string[];
}

type Told = Pick<
  DeadLetterView,
  'stage' | 'rule' | 'code' | 'sqlstate' | 'reason' | 'source_table' | 'target_table' | 'op'
>;

const atTheSource = (table: string): string =>
  `Correct the row in ${table} at the source. The correction travels like any other change; then discard this letter.`;

export function whyOf(letter: Told): Why {
  const { stage, rule, reason, source_table: source, target_table: target, op, sqlstate } = letter;
  if (stage === 'apply') return refused(letter, sqlstate);
  if (rule !== null) {
    return {
      title: `The rule “${rule}” refused the row`,
      meaning: reason.includes('cannot be answered')
        ? 'A value that the rule asks for is missing or cannot be read, so nobody can say whether the row is good.'
        : `A row of ${target} has to fulfil this rule, and this one does not. It was not written; the older row, if there is one, stays at the target.`,
      mend: [
        atTheSource(source),
        'Is the rule too strict, change it in the mapping of the pair, then replay: the row goes through the rules of that moment.',
        ...(op === 'insert' || op === 'update'
          ? ['Or replay the row with other values (editors): only the target gets them.']
          : []),
      ],
    };
  }
  if (reason.includes('REPLICA IDENTITY')) {
    return {
      title: 'A value was needed that the source did not send',
      meaning:
        'PostgreSQL leaves out large values that a change has not touched. A filter, rule or computed column needs this one.',
      mend: [
        `At the source: ALTER TABLE ${source} REPLICA IDENTITY FULL. From then on every value is sent.`,
        `Then touch the row in ${source} once (an update of any column), and discard this letter.`,
      ],
    };
  }
  return {
    title: `The row could not be made into one of ${target}`,
    meaning: 'A transform or an expression of the mapping cannot be worked out for its values.',
    mend: [atTheSource(source), 'Or change the mapping of the pair so that it can take such values, then replay.'],
  };
}

function refused({ target_table: target, source_table: source }: Told, sqlstate: string | null): Why {
  const { meaning, mend } = refusalOf(sqlstate ?? '');
  return {
    title: sqlstate === null ? `${target} refused the row` : `${target} refused the row (SQLSTATE ${sqlstate})`,
    meaning,
    mend: [mend, atTheSource(source), 'When the cause is gone, replay the letter: the row is written as it is stored.'],
  };
}

/** The reason for a list that names the rule already. */
export const reasonText = ({ reason }: Pick<DeadLetterView, 'reason'>): string =>
  reason.replace(/^rule ".*?" is broken: /s, '').replace(/^rule ".*?" cannot be answered: /s, '');

/** What letters of one cause have in common, in a few words. */
export function causeText({ rule, code, sqlstate }: Pick<DeadLetterView, 'rule' | 'code' | 'sqlstate'>): string {
  if (rule !== null) return `Rule “${rule}”`;
  if (sqlstate !== null) return refusalOf(sqlstate).meaning;
  return code === 'PAIR_ROW_INVALID' ? 'A value that the mapping cannot take' : 'Refused by the target';
}
