import type { ErrorCode } from './errors.ts';
import type { TableName } from './tables.ts';

/** A change that cannot go on, with everything needed to understand it, mend it and replay it. */
export interface DeadLetter {
  /** `formatPosition` of the change: with the pair it identifies the letter, so repeating never doubles. */
  readonly position: string;
  /** Where it was refused: by the chain, or by the target. */
  readonly stage: 'process' | 'apply';
  readonly source_table: TableName;
  readonly target_table: TableName;
  readonly op: 'insert' | 'update' | 'delete' | 'truncate';
  /** Name of the rule, when one refused it. */
  readonly rule: string | undefined;
  readonly code: ErrorCode;
  readonly reason: string;
  /** Of the target's refusal, five characters; undefined where the chain has refused the change. */
  readonly sqlstate?: string | undefined;
  /** Cells by column name as PostgreSQL prints them; a column the source did not send is left out. Source columns for stage "process", target columns for "apply". */
  readonly row: Readonly<Record<string, string | null>>;
  readonly before: Readonly<Record<string, string | null>> | undefined;
}
