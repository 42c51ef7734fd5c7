import { describe } from 'vitest';
import { chaosSeed } from '#test/chaos/seed.ts';
import { streamPoints } from '#test/chaos/points.ts';
import { testLoadKills, testRandomKills, testStreamKills } from '#test/chaos/suite.ts';

/** One kill at each point and a few at random; the long form is `npm run test:chaos`. */
describe('SIGKILL', () => {
  testStreamKills(streamPoints, 1, { seed: chaosSeed });
  testRandomKills(5, { seed: chaosSeed });
  testLoadKills(1, 0, { seed: chaosSeed });
});
