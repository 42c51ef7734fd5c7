import { testRandomSyncs } from './table-sync-suite.ts';

/** TEST_SEED replays one run; TEST_TRANSACTIONS makes it longer. */
const seeds = process.env['TEST_SEED'] === undefined ? [1, 2] : [Number(process.env['TEST_SEED'])];

for (const seed of seeds)
  testRandomSyncs({ seed, transactions: Number(process.env['TEST_TRANSACTIONS'] ?? 300), every: 12 });
