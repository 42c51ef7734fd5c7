export type { DatabaseAddress } from './connection.ts';
export {
  openDatabase,
  type Database,
  type DatabaseOptions,
  type Queryable,
  type TransactionOptions,
} from './database.ts';
export { isUniqueViolation, sqlStateOf } from './errors.ts';
export type { Listener } from './listener.ts';
export { migrate } from './migrate.ts';
