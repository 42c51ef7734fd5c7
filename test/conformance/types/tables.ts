import { quoteIdentifier, quoteTable } from '#connectors/postgres/identifiers.ts';
import type { tableInput } from '#schemas/pairs.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import type { z } from 'zod';
import { type Role, roles, type TypeCase, valuesAt } from './type-case.ts';

/** Tables of a type: one for each role that it can have. */
export function rolesOf({ without = {}, computed, roles: wanted = roles }: TypeCase): Role[] {
  return wanted.filter(
    (role) =>
      !(role === 'keyed' && without.key !== undefined) &&
      !(role === 'array' && without.array !== undefined) &&
      !(role === 'computed' && computed === 'refused'),
  );
}

/** The cases with some of their tables: for suites that look at something else than the paths. */
export function only(wanted: readonly Role[], cases: readonly TypeCase[]): TypeCase[] {
  return cases.map((type) => ({ ...type, roles: wanted }));
}

/** Tables have the name of the case, in a schema named by the role. */
export function tableOf(role: Role, { name }: TypeCase): TableName {
  return { schema: `matrix ${role}`, name };
}

const sqlOf = (role: Role, type: TypeCase): string => quoteTable(tableOf(role, type));
/** Without its COLLATE, which a cast does not take. */
export const bare = ({ type }: TypeCase): string => type.replace(/ COLLATE .*$/, '');
const cast = (type: TypeCase, value: string): string => `(${value})::${bare(type)}`;

export function definitions(type: TypeCase): string[] {
  const make = (role: Role, columns: string): string => `CREATE TABLE ${sqlOf(role, type)} (${columns})`;
  return rolesOf(type).flatMap((role) => {
    switch (role) {
      case 'plain':
      case 'mapped':
      case 'computed':
        return [make(role, `id int PRIMARY KEY, v ${type.type}, other int`), ...storage(role, type)];
      case 'array':
        return [make(role, `id int PRIMARY KEY, v ${bare(type)}[]`)];
      case 'keyed':
        return [make(role, `k ${type.type} PRIMARY KEY, n int`)];
      case 'full':
        return [
          make(role, `v ${type.type}, n int`),
          `ALTER TABLE ${sqlOf(role, type)} REPLICA IDENTITY FULL`,
          ...storage(role, type),
        ];
    }
  });
}

/** Large values lie out of line, uncompressed: an update that leaves them alone does not send them. (CHECKLIST 16) */
function storage(role: Role, type: TypeCase): string[] {
  if (type.large === undefined) return [];
  // Array types of the server itself and numeric allow it, a type of fixed place does not: then it is stored as it is.
  return [`ALTER TABLE ${sqlOf(role, type)} ALTER v SET STORAGE ${/^numeric/.test(type.type) ? 'MAIN' : 'EXTERNAL'}`];
}

/** How a pair takes the tables. */
export function pairTables(type: TypeCase): z.input<typeof tableInput>[] {
  return rolesOf(type).map((role) => {
    const source = formatTableName(tableOf(role, type));
    switch (role) {
      case 'mapped':
        // Looks at every row, renames and turns columns round: nothing can be copied as a whole.
        return {
          source,
          where: 'row.id >= 0',
          columns: { 'The "other"': { from: 'other' }, v: { from: 'v' }, id: { from: 'id' } },
        };
      case 'computed':
        return {
          source,
          columns: { id: { from: 'id' }, v: { compute: 'row.v', type: bare(type) }, other: { from: 'other' } },
        };
      default:
        return { source };
    }
  });
}

/** Columns at the target in the order of the source's. */
export function targetColumns(role: Role): string {
  if (role === 'mapped') return 'id, v, "The ""other"""';
  return role === 'computed' ? 'id, v, other' : '*';
}

const LARGE = 900;
const NULL_ROW = 800;

/** Rows that are there before the pair is. */
export function firstRows(type: TypeCase, major: number): string[] {
  const values = valuesAt(type, major);
  const some = values.map((value, i) => `(${i}, ${cast(type, value)}, 0)`);
  const large = type.large === undefined ? [] : [`(${LARGE}, ${cast(type, type.large)}, 0)`];
  return rolesOf(type).flatMap((role) => {
    const table = sqlOf(role, type);
    switch (role) {
      case 'plain':
      case 'mapped':
      case 'computed':
        return [`INSERT INTO ${table} VALUES ${[...some, ...large, `(${NULL_ROW}, NULL, 0)`].join(', ')}`];
      case 'array':
        return [
          `INSERT INTO ${table} VALUES (0, ${arrayOf(type, values)}), (1, '{}'), (2, ARRAY[NULL]::${bare(type)}[]), (3, NULL), (4, ${arrayOf(type, values)})`,
        ];
      case 'keyed':
        // Values that are equal by the type's own measure are one key.
        return values
          .slice(0, -1)
          .map((value, n) => `INSERT INTO ${table} VALUES (${cast(type, value)}, ${n}) ON CONFLICT DO NOTHING`);
      case 'full':
        return values
          .map((value, n) => `INSERT INTO ${table} SELECT ${cast(type, value)}, ${n} FROM generate_series(1, 2)`)
          .concat(`INSERT INTO ${table} VALUES (NULL, ${NULL_ROW}), (NULL, ${NULL_ROW})`)
          .concat(type.large === undefined ? [] : `INSERT INTO ${table} VALUES (${cast(type, type.large)}, ${LARGE})`);
    }
  });
}

/** What happens while the pair streams; each statement is a transaction of its own. */
export function laterChanges(type: TypeCase, major: number): string[] {
  const values = valuesAt(type, major);
  const [first, second] = [cast(type, values[0]!), cast(type, values[1]!)];
  const last = cast(type, values.at(-1)!);
  return rolesOf(type).flatMap((role) => {
    const table = sqlOf(role, type);
    const oneRow = (n: number): string => `ctid = (SELECT min(ctid) FROM ${table} WHERE n = ${n})`;
    switch (role) {
      case 'plain':
      case 'mapped':
      case 'computed': {
        const inserted = values.map((value, i) => `(${i + 100}, ${cast(type, value)}, 1)`);
        const turned = values.map(
          (_, i) => `UPDATE ${table} SET v = ${cast(type, values[(i + 1) % values.length]!)} WHERE id = ${i}`,
        );
        return [
          `INSERT INTO ${table} VALUES ${[...inserted, '(199, NULL, 1)'].join(', ')}`,
          `UPDATE ${table} SET other = 2 WHERE id >= 100`,
          // Alone in its transaction, so that "unchanged" reaches the target.
          `UPDATE ${table} SET other = 3 WHERE id = ${LARGE}`,
          ...turned,
          `UPDATE ${table} SET v = ${first} WHERE id = ${NULL_ROW}`,
          `UPDATE ${table} SET v = NULL WHERE id = 100`,
          `UPDATE ${table} SET id = 300, other = 4 WHERE id = 101`,
          `DELETE FROM ${table} WHERE id = 0`,
          ...(type.large === undefined
            ? []
            : [
                `INSERT INTO ${table} VALUES (${LARGE + 1}, ${cast(type, type.large)}, 0)`,
                `UPDATE ${table} SET id = ${LARGE + 2} WHERE id = ${LARGE + 1}`,
                `UPDATE ${table} SET v = ${second} WHERE id = ${LARGE}`,
              ]),
        ];
      }
      case 'array':
        return [
          `INSERT INTO ${table} SELECT id + 10, v FROM ${table}`,
          `UPDATE ${table} SET v = ${arrayOf(type, values.toReversed())} WHERE id IN (0, 1)`,
          `UPDATE ${table} SET v = NULL WHERE id = 2`,
          `UPDATE ${table} SET v = ARRAY[NULL, NULL]::${bare(type)}[] WHERE id = 3`,
          `UPDATE ${table} SET id = 5 WHERE id = 4`,
        ];
      case 'keyed':
        return [
          `UPDATE ${table} SET n = n + 100`,
          `UPDATE ${table} SET k = ${last}, n = 200 WHERE n = 100`,
          `DELETE FROM ${table} WHERE n = 101`,
          `INSERT INTO ${table} VALUES (${first}, 300) ON CONFLICT DO NOTHING`,
          `INSERT INTO ${table} VALUES (${second}, 301) ON CONFLICT DO NOTHING`,
          `UPDATE ${table} SET n = 302 WHERE n = 301`,
          ...(type.twins === undefined
            ? []
            : twinChanges(table, [cast(type, type.twins[0]), cast(type, type.twins[1])])),
        ];
      case 'full':
        return [
          `UPDATE ${table} SET v = ${second} WHERE ${oneRow(0)}`,
          `UPDATE ${table} SET n = 50 WHERE ${oneRow(0)}`,
          `UPDATE ${table} SET v = NULL WHERE ${oneRow(1)}`,
          `DELETE FROM ${table} WHERE ${oneRow(1)}`,
          `UPDATE ${table} SET v = ${first} WHERE ${oneRow(NULL_ROW)}`,
          `DELETE FROM ${table} WHERE ${oneRow(NULL_ROW)}`,
          `UPDATE ${table} SET n = n + 1000 WHERE n = ${values.length - 1}`,
          ...(type.large === undefined
            ? []
            : [`UPDATE ${table} SET n = 901 WHERE n = ${LARGE}`, `UPDATE ${table} SET v = ${first} WHERE n = 901`]),
        ];
    }
  });
}

/** A key that changes to one that equals it: also back and forth within a transaction, and as another row. */
function twinChanges(table: string, [one, other]: readonly [string, string]): string[] {
  return [
    `INSERT INTO ${table} VALUES (${one}, 500)`,
    `UPDATE ${table} SET k = ${other} WHERE n = 500`,
    `UPDATE ${table} SET n = 501 WHERE n = 500`,
    `DO $$ BEGIN DELETE FROM ${table} WHERE n = 501; INSERT INTO ${table} VALUES (${one}, 502); UPDATE ${table} SET k = ${other} WHERE n = 502;
      UPDATE ${table} SET k = ${one} WHERE n = 502; UPDATE ${table} SET n = 503 WHERE n = 502; END $$`,
    `UPDATE ${table} SET k = ${other}, n = 504 WHERE n = 503`,
  ];
}

function arrayOf(type: TypeCase, values: readonly string[]): string {
  if (type.array !== undefined) return `(${type.array})::${bare(type)}[]`;
  return `ARRAY[${[...values.map((value) => cast(type, value)), 'NULL'].join(', ')}]::${bare(type)}[]`;
}

/** The schemas that all of this needs, before the types' own set-up. */
export const schemas: readonly string[] = [
  'CREATE SCHEMA types',
  ...roles.map((role) => `CREATE SCHEMA ${quoteIdentifier(`matrix ${role}`)}`),
];
