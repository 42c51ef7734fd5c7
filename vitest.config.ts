import { defineConfig } from 'vitest/config';
import { ClosingLineReporter } from './test/support/closing-line-reporter.ts';

/** Two cores are enough: two files at a time, one kind of test after the other. */
const workers = 2;
const withServers = { globalSetup: 'test/support/shared-servers.ts' };
const seconds = 1000;

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: workers,
    // The Node that runs Vitest is the one of the `node` package when npm starts it, and tests start processes with the same one.
    reporters: ['default', new ClosingLineReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 20 * seconds,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 60 * seconds,
          hookTimeout: 90 * seconds,
          sequence: { groupOrder: 1 },
          ...withServers,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 120 * seconds,
          hookTimeout: 90 * seconds,
          sequence: { groupOrder: 2 },
          ...withServers,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 180 * seconds,
          hookTimeout: 120 * seconds,
          sequence: { groupOrder: 3 },
          ...withServers,
        },
      },
    ],
  },
});
