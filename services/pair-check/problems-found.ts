import { errorKinds, TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { PairCheckReport } from '#schemas/http/pairs.ts';

/** Problems that are told in a message; all are in the details. */
const MOST_TOLD = 10;

/**
 * All that stops a pair, in one error. Its code is that of the first problem that does not heal by itself, so that a pair that waits for
 * somebody is not tried again and again; else that of the first.
 */
export function problemsFound({ problems }: Pick<PairCheckReport, 'problems'>): TerraFusionError {
  const { code } = problems.find(({ code }) => !errorKinds[code].heals) ?? problems[0]!;
  return new TerraFusionError(code, message(problems, code), { details: { problems } });
}

function message(problems: PairCheckReport['problems'], code: ErrorCode): string {
  // What the code stands for comes first: its fix is shown beside it.
  const ordered = [...problems.filter((each) => each.code === code), ...problems.filter((each) => each.code !== code)];
  const [only, ...more] = ordered;
  if (only && more.length === 0) return `${only.message}${fixOf(only)}`;
  const told = ordered.slice(0, MOST_TOLD).map((each) => `${each.path}: ${each.message} (${each.code})${fixOf(each)}`);
  const rest = ordered.length - told.length;
  return `${ordered.length} things are in the way:\n${told.join('\n')}${rest > 0 ? `\nand ${rest} more` : ''}`;
}

/** The fix, where it is another than the code's own. */
function fixOf({ code, fix }: PairCheckReport['problems'][number]): string {
  return fix === errorKinds[code].fix ? '' : ` ${fix}`;
}
