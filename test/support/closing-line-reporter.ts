import { writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';
import { reasonIn } from './suite-reason.ts';

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  /** Skipped tests by the reason they gave. */
  readonly skips: Map<string, string[]>;
}

/**
 * Says what was skipped and why, and ends the run with one line for people and programs: `N passed, N failed, N skipped`.
 * A file that could not be loaded and an error outside of any test count as failed.
 */
export class ClosingLineReporter implements Reporter {
  #closing = '';
  #armed = false;

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tally: Tally = { passed: 0, failed: unhandled.length, skipped: 0, skips: new Map() };
    for (const module of modules) count(module, tally);
    this.#closing = [...skipLines(tally.skips), closingLine(tally), ''].join('\n');
    this.#closeLast();
  }

  /** Other reporters and tear-downs have the word first: the line is written when the process ends. */
  #closeLast(): void {
    if (this.#armed) return;
    this.#armed = true;
    process.on('exit', () => writeSync(1, this.#closing));
  }
}

function count(module: TestModule, tally: Tally): void {
  if (module.errors().length > 0) tally.failed += 1;
  for (const suite of module.children.allSuites()) {
    if (suite.errors().length > 0) tally.failed += 1;
  }
  for (const test of module.children.allTests()) {
    const result = test.result();
    if (result.state === 'passed') tally.passed += 1;
    else if (result.state === 'failed') tally.failed += 1;
    else {
      tally.skipped += 1;
      const reason =
        (result.state === 'skipped' ? (result.note ?? suiteReason(test)) : 'it was never run') ?? 'it gave no reason';
      const names = tally.skips.get(reason) ?? [];
      tally.skips.set(reason, [...names, `${module.relativeModuleId} > ${test.fullName}`]);
    }
  }
}

/** Of the innermost suite around it that names one. */
function suiteReason(test: TestCase): string | undefined {
  for (let around = test.parent; around.type === 'suite'; around = around.parent) {
    const reason = reasonIn(around.name);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function skipLines(skips: ReadonlyMap<string, readonly string[]>): string[] {
  return [...skips].flatMap(([reason, names]) => [`Skipped, since ${reason}:`, ...names.map((name) => `  ${name}`)]);
}

function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
