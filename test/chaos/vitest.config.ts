import { defineConfig } from 'vitest/config';
import { ClosingLineReporter } from '../support/closing-line-reporter.ts';

/** The long chaos suite has its own command, `npm run test:chaos`: hundreds of kills take their minutes. */
export default defineConfig({
  test: {
    name: 'chaos',
    pool: 'forks',
    maxWorkers: 1,
    include: ['test/chaos/**/*.test.ts'],
    testTimeout: 15 * 60_000,
    hookTimeout: 60_000,
    globalSetup: 'test/support/shared-servers.ts',
    reporters: ['verbose', new ClosingLineReporter()],
    root: new URL('../..', import.meta.url).pathname,
  },
});
