import { afterAll } from 'vitest';
import { testFamily } from './fault-suite.ts';
import { families } from './faults/table.ts';
import { printed, readRuns, record } from './report.ts';
import { chaosSeed } from './seed.ts';

const ran: string[] = [];

for (const family of families) {
  testFamily(family, await family.missing?.(), {
    seed: chaosSeed,
    onEnd: async ({ name }, seconds) => {
      ran.push(name);
      await record(name, seconds, chaosSeed);
    },
  });
}

afterAll(async () => {
  console.log(printed(ran, await readRuns()));
});
