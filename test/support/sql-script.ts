/** A database script taken apart by what its statements do, each a statement of its own. */
export interface SqlScript {
  /** Tables and their keys. */
  readonly schema: readonly string[];
  /** INSERT statements in the script's order. */
  readonly rows: readonly string[];
  /** Foreign keys and indexes: after the rows, since scripts insert children before parents. */
  readonly constraints: readonly string[];
}

/** Sorts a script's statements. What speaks to psql or to the server as a whole (`\c`, CREATE DATABASE, SET) is left out. */
export function parseScript(text: string): SqlScript {
  const statements = splitStatements(text.replaceAll(/^\\.*$/gm, '')).filter(
    (statement) => !/^(SET|DROP|CREATE DATABASE)\b/i.test(statement),
  );
  const isRow = (statement: string): boolean => /^INSERT\b/i.test(statement);
  const isConstraint = (statement: string): boolean => /\bFOREIGN KEY\b|^CREATE (UNIQUE )?INDEX\b/i.test(statement);
  return {
    schema: statements.filter((statement) => !isRow(statement) && !isConstraint(statement)),
    rows: statements.filter(isRow),
    constraints: statements.filter((statement) => !isRow(statement) && isConstraint(statement)),
  };
}

/** Cuts at semicolons that stand outside of quotes and comments; comments are dropped. Knows no dollar quotes. */
export function splitStatements(text: string): string[] {
  const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|;|[^'"\-/;]+|[-/]/g;
  const statements: string[] = [];
  let current = '';
  for (const [part] of text.matchAll(token)) {
    if (part === ';') {
      statements.push(current);
      current = '';
    } else if (!part.startsWith('--') && !part.startsWith('/*')) {
      current += part;
    }
  }
  statements.push(current);
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== '');
}
