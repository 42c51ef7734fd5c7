import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabase, type TestDatabase } from '#test/support/database.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { typeCases } from './cases/index.ts';
import { type MatrixResult, runMatrix } from './matrix.ts';
import { settings } from './settings.ts';
import { only } from './tables.ts';

/** Money is printed by a locale of the operating system; the first that this machine has. */
const LOCALES = ['ja_JP.UTF-8', 'de_DE.UTF-8', 'en_GB.UTF-8', 'POSIX'];

/** Another role whose settings win over the database's. */
const role = `sync_${randomBytes(4).toString('hex')}`;
const servers = [inject('sourceServer'), inject('targetServer')];
let result: MatrixResult;

/** Those that print nothing of their own add only time: the matrix without settings has them. */
const cases = only(
  ['plain', 'array', 'full'],
  typeCases.filter(
    ({ extension, name }) => extension === undefined && !/^(reg|timestamp\(|int[48]m|.*_snapshot)/.test(name),
  ),
);

beforeAll(async () => {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  for (const [database, end] of [
    [source, 'source'],
    [target, 'target'],
  ] as const) {
    await database.query(`CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD 'x'`);
    const set = (what: string, name: string, value: string) => database.query(`ALTER ${what} SET ${name} = '${value}'`);
    for (const setting of settings) {
      await set(`DATABASE "${database.name}"`, setting.name, setting[end]);
      await set(`ROLE ${role}`, setting.name, setting.role);
    }
    for (const locale of LOCALES) {
      const known = await set(`DATABASE "${database.name}"`, 'lc_monetary', locale).then(
        () => true,
        () => false,
      );
      if (known) break;
    }
  }
  result = await runMatrix(cases, {
    source,
    target,
    installation: await freshInstallation(),
    sourceUrl: as(source),
    // The role's settings at one end, the database's at the other.
    targetUrl: target.url,
  });
});

afterAll(async () => {
  for (const server of servers) {
    const database = await createDatabase(server, 'cleanup');
    await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`).catch(() => undefined);
    await database.drop();
  }
});

function as(database: TestDatabase): string {
  const url = new URL(database.url);
  url.username = role;
  url.password = 'x';
  return url.href;
}

describe('CHECKLIST 7: defaults of databases and roles change nothing that arrives', () => {
  test.each(cases.map((type) => [type.name, type] as const))('%s', (_, type) => {
    expect(result.loaded.get(type)).toEqual({});
    expect(result.streamed.get(type)).toEqual({});
  });

  test('nothing became a dead letter', () => {
    expect(result.letters).toEqual([]);
  });
});
