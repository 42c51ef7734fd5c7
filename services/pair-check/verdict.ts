import type { ProbeOutcome } from '#connectors/contract/probe.ts';
import type { ProofResult } from '#schemas/http/pairs.ts';
import type { ColumnChain, ColumnRun } from '#services/stream-processor/column-chains.ts';

export interface Verdict {
  readonly result: ProofResult;
  readonly how: string | undefined;
}

/**
 * What became of a column's values on their way. Compared is text: what the chain gave against what the target prints. A number that is
 * only written with other zeros (5 as 5.00) is the same number, and told; everything else that differs is lossy.
 */
export function verdict(
  { made, refused }: Pick<ColumnRun, 'made' | 'refused'>,
  outcome: ProbeOutcome,
  { hides }: Pick<ColumnChain, 'hides'>,
): Verdict {
  if (outcome.failure) return { result: 'unsupported', how: outcome.failure.message };
  const show = (text: string | null): string => (hides ? '(masked)' : shown(text));
  const values = made.map(({ text }, index) => ({ text, row: outcome.rows[index]! }));
  const lost = values.flatMap(({ text, row }) => (row.arrived ? [] : [{ text, reason: row.reason }]));
  const changed = values.flatMap(({ text, row }) =>
    row.arrived && row.text !== text ? [{ before: text, after: row.text }] : [],
  );
  const restyled = changed.filter(({ before, after }) => sameNumber(before, after));
  const altered = changed.filter((change) => !restyled.includes(change));
  const how: string[] = [];
  if (altered[0]) {
    const { before, after } = altered[0];
    how.push(`${count(altered.length, values.length)} arrive changed, such as ${show(before)} as ${show(after)}`);
  }
  if (lost[0]) {
    // The server's reason quotes the value.
    const reason = hides ? '' : `: ${cut(lost[0].reason)}`;
    how.push(`${count(lost.length, values.length)} are refused, such as ${show(lost[0].text)}${reason}`);
  }
  if (restyled[0]) {
    const { before, after } = restyled[0];
    how.push(`the same numbers are written otherwise, such as ${show(before)} as ${show(after)}`);
  }
  if (refused[0]) {
    const reason = hides ? '' : `: ${cut(refused[0].reason)}`;
    how.push(`${count(refused.length, refused.length + made.length)} cannot be computed${reason}`);
  }
  const present = values.filter(({ text }) => text !== null);
  if (present.length === 0 && how.length === 0) how.push('only NULL came out of the chain');
  const result =
    present.length === 0
      ? 'not_proven'
      : present.every(({ row }) => !row.arrived)
        ? 'unsupported'
        : lost.length > 0 || altered.length > 0
          ? 'lossy'
          : 'lossless';
  return { result, how: how.length === 0 ? undefined : how.join('; ') };
}

const count = (part: number, all: number): string => `${part} of ${all} values`;

const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** In quotes, cut where it is long: control characters written out. */
function shown(text: string | null): string {
  if (text === null) return 'NULL';
  const blanks = /^(.{0,20}?)( {21,})$/su.exec(text);
  if (blanks) return `${JSON.stringify(blanks[1])} followed by ${blanks[2]!.length} blanks`;
  return text.length > 60 ? `${JSON.stringify(text.slice(0, 40))}… (${text.length} characters)` : JSON.stringify(text);
}

/** Plain decimal numbers that differ in the zeros behind the point only. Told by their digits: a JavaScript number would round. */
function sameNumber(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return false;
  const [first, second] = [plain(a), plain(b)];
  return first !== undefined && first === second;
}

function plain(text: string): string | undefined {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (!match) return undefined;
  const digits = match[3]?.replace(/0+$/, '') ?? '';
  const number = `${match[2]!.replace(/^0+(?=\d)/, '')}${digits === '' ? '' : `.${digits}`}`;
  return number === '0' ? '0' : `${match[1]!}${number}`;
}
