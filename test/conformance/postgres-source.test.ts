import { testChanges } from './postgres-source-changes.ts';

testChanges({});
