import { testFamily } from '#test/chaos/fault-suite.ts';
import { families } from '#test/chaos/faults/table.ts';
import { chaosSeed } from '#test/chaos/seed.ts';

/** The quickest faults of the table; all of them are `npm run test:chaos`. */
const short = families.flatMap(({ faults }) => faults.filter((fault) => fault.short === true));

testFamily({ name: 'Faults', faults: short }, undefined, { seed: chaosSeed });
