import type { ErrorCode } from '#schemas/errors.ts';

/** A value or a database that cannot arrive as it was, and is refused instead of changed. Tests take the code from here, and so does the page. */
export interface Refusal {
  readonly what: string;
  readonly becomes: string;
  readonly code: ErrorCode;
}

const LETTER = 'dead letter; in a first load the pair fails with the row named, and nothing of the load is seen';

export const refusals = {
  unknownName: {
    what: '`regclass`, `regproc`, `regtype` … that names something the target does not have',
    becomes: LETTER,
    code: 'TARGET_ROW_REJECTED',
  },
  unreadable: {
    what: 'types that PostgreSQL prints and reads nowhere: `pg_node_tree`, `gtsvector`, stored statistics',
    becomes: LETTER,
    code: 'TARGET_ROW_REJECTED',
  },
  nul: { what: 'NUL in a text that a chain has made', becomes: 'dead letter', code: 'TARGET_ROW_REJECTED' },
  character: { what: "a character that the target's encoding lacks", becomes: LETTER, code: 'TARGET_ROW_REJECTED' },
  byte: {
    what: '`"char"` beyond ASCII from a server before 16, which prints it as a byte that is no UTF-8',
    becomes: LETTER,
    code: 'TARGET_ROW_REJECTED',
  },
  looked: {
    what: 'the same, where an expression or transform reads it',
    becomes: 'dead letter',
    code: 'PAIR_ROW_INVALID',
  },
  newer: {
    what: 'a value that an older target does not know: `interval` infinity before 17',
    becomes: LETTER,
    code: 'TARGET_ROW_REJECTED',
  },
  decimal: {
    what: '`numeric` NaN or infinity in an expression (copied they are equal)',
    becomes: 'dead letter',
    code: 'PAIR_ROW_INVALID',
  },
  name: {
    what: "a name that the database's encoding cannot hold",
    becomes: 'the pair does not start, nothing is made',
    code: 'TARGET_ENCODING',
  },
  asciiSource: {
    what: 'a source database in SQL_ASCII',
    becomes: 'the pair does not start, nothing is made',
    code: 'SOURCE_ENCODING',
  },
  asciiTarget: {
    what: 'a target database in SQL_ASCII',
    becomes: 'the pair does not start, nothing is made',
    code: 'TARGET_ENCODING',
  },
} as const satisfies Readonly<Record<string, Refusal>>;
