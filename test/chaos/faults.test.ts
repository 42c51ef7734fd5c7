import { testFamily } from './fault-suite.ts';
import { families } from './faults/table.ts';
import { chaosSeed } from './seed.ts';

for (const family of families) testFamily(family, await family.missing?.(), { seed: chaosSeed });
