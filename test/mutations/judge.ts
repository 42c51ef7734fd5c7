/** What Vitest's JSON reporter tells, as far as it is looked at. */
export interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[] | null;
    }[];
  }[];
}

export type Verdict =
  /** A test has failed because of what the product did. */
  | { readonly what: 'caught'; readonly by: string; readonly why: string }
  | { readonly what: 'survived' }
  /** Something has failed, but nothing that a test has asserted: the mutation is no mistake that somebody would make, or the test hangs. */
  | { readonly what: 'no catch'; readonly why: string };

/** The program is broken, not its promise. */
const ofTheProgram = /^(?:Caused by: )?(SyntaxError|ReferenceError|TypeError|ERR_MODULE_NOT_FOUND)\b/;
/** The second is what stands in the report where a test has run out of its time. */
const timedOut = /^Error: ((Test|Hook) timed out in|STACK_TRACE_ERROR)/;

/** @param known names of tests that pass without the mutation; others prove nothing */
export function judge(report: Report, known: ReadonlySet<string>): Verdict {
  let why: string | undefined;
  for (const file of report.testResults) {
    const failed = file.assertionResults.filter(({ status }) => status === 'failed');
    if (file.status === 'failed' && failed.length === 0)
      why ??= `${file.name} could not be run: ${firstLine(file.message)}`;
    for (const { fullName, failureMessages } of failed) {
      const message = failureMessages?.[0] ?? '';
      if (!known.has(fullName)) why ??= `"${fullName}" does not pass without the mutation either`;
      else if (ofTheProgram.test(message))
        why ??= `"${fullName}" fails by an error of the program: ${firstLine(message)}`;
      else if (timedOut.test(message)) why ??= `"${fullName}" waits in vain instead of failing`;
      else return { what: 'caught', by: fullName, why: firstLine(message) };
    }
  }
  return why === undefined ? { what: 'survived' } : { what: 'no catch', why };
}

/** Names of tests that passed; what did not pass is told in `problems`. */
export function passed(report: Report): { readonly names: ReadonlySet<string>; readonly problems: readonly string[] } {
  const names = new Set<string>();
  const problems: string[] = [];
  for (const file of report.testResults) {
    if (file.status === 'failed' && file.assertionResults.every(({ status }) => status !== 'failed'))
      problems.push(`${file.name}: ${firstLine(file.message)}`);
    for (const { fullName, status, failureMessages } of file.assertionResults) {
      if (status === 'passed') names.add(fullName);
      if (status === 'failed') problems.push(`${fullName}: ${firstLine(failureMessages?.[0] ?? '')}`);
    }
  }
  return { names, problems };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!.slice(0, 300);
}
