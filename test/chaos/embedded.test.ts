import { describe } from 'vitest';
import { chaosSeed } from './seed.ts';
import { streamPoints } from './points.ts';
import { testCleanUpKill, testLoadKills, testRandomKills, testStreamKills } from './suite.ts';

describe('SIGKILL, embedded bus', () => {
  testStreamKills(streamPoints, 15, { seed: chaosSeed });
  testRandomKills(100, { seed: chaosSeed + 1 });
  testLoadKills(6, 20, { seed: chaosSeed + 2 });
  testCleanUpKill({ seed: chaosSeed + 3 });
});
