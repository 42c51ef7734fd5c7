import { describe, expect, test } from 'vitest';
import { judge, passed, type Report } from '#test/mutations/judge.ts';

const report = (...failureMessages: readonly string[]): Report => ({
  testResults: [
    {
      name: 'f.test.ts',
      status: failureMessages.length > 0 ? 'failed' : 'passed',
      message: '',
      assertionResults: [
        { fullName: 'good', status: 'passed', failureMessages: [] },
        ...failureMessages.map((message, i) => ({
          fullName: `bad ${i}`,
          status: 'failed',
          failureMessages: [message],
        })),
      ],
    },
  ],
});
const known = new Set(['good', 'bad 0', 'bad 1']);

describe('a mutation', () => {
  test.each([
    'AssertionError: expected 1 to be 2\n    at f.test.ts',
    'TerraFusionError: The topic goes on from 1:0/6E',
    'Error: Property failed after 1 tests',
    'Error: Waited 20000 ms in vain for the condition',
  ])('is caught by what a test asserts: %s', (message) => {
    expect(judge(report(message), known)).toEqual({ what: 'caught', by: 'bad 0', why: message.split('\n')[0] });
  });

  test.each([
    ['ReferenceError: x is not defined', /an error of the program/],
    ['TypeError: x is not a function', /an error of the program/],
    ['SyntaxError: Unexpected token', /an error of the program/],
    ['Error: Test timed out in 20000ms.', /waits in vain/],
    ['Error: STACK_TRACE_ERROR\n    at task', /waits in vain/],
  ])('is not caught by %s', (message, why) => {
    expect(judge(report(message), known)).toMatchObject({
      what: 'no catch',
      why: expect.stringMatching(why) as string,
    });
    // Another test may notice it all the same.
    expect(judge(report(message, 'AssertionError: no'), known)).toMatchObject({ what: 'caught', by: 'bad 1' });
  });

  test('is not caught by a test that fails anyway, or a file that cannot be loaded', () => {
    expect(judge(report('AssertionError: no'), new Set(['good']))).toMatchObject({ what: 'no catch' });
    const unloaded = {
      testResults: [{ name: 'f', status: 'failed', message: 'Cannot find module', assertionResults: [] }],
    };
    expect(judge(unloaded, known)).toMatchObject({ what: 'no catch', why: 'f could not be run: Cannot find module' });
  });

  test('survives when nothing fails', () => {
    expect(judge(report(), known)).toEqual({ what: 'survived' });
  });
});

test('without a mutation everything has to pass', () => {
  expect(passed(report())).toEqual({ names: new Set(['good']), problems: [] });
  expect(passed(report('AssertionError: no')).problems).toEqual(['bad 0: AssertionError: no']);
});
