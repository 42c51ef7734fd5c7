import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode } from '#schemas/errors.ts';
import type { Installation, NewTestPair, RunningService } from '#test/support/installation.ts';
import { freePort } from '#test/support/ports.ts';
import { startPostgres, type TestDatabase } from '#test/support/postgres.ts';
import { tablesOf } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

type Ends = Pick<NewTestPair, 'source' | 'target'>;

interface Case {
  readonly name: string;
  readonly code: ErrorCode;
  /** What the message has to name. */
  readonly names: RegExp;
  /** Whether the pair goes on trying instead of waiting for somebody. */
  readonly heals?: boolean;
  /** The pair to make; may prepare the databases first. */
  readonly pair: (ends: Ends) => Promise<Partial<NewTestPair>> | Partial<NewTestPair>;
}

const cases: readonly Case[] = [
  {
    name: 'a wrong password at the source',
    code: 'SOURCE_LOGIN_FAILED',
    names: /postgres@127\.0\.0\.1/,
    pair: ({ source }) => ({ sourceUrl: withLogin(source.url, 'postgres', 'wrong') }),
  },
  {
    name: 'a wrong password at the target',
    code: 'TARGET_LOGIN_FAILED',
    names: /postgres@127\.0\.0\.1/,
    pair: ({ target }) => ({ targetUrl: withLogin(target.url, 'postgres', 'wrong') }),
  },
  {
    name: 'a source that does not answer',
    code: 'SOURCE_UNREACHABLE',
    names: /127\.0\.0\.1:\d+/,
    heals: true,
    pair: async ({ source }) => ({ sourceUrl: withPort(source.url, await freePort()) }),
  },
  {
    name: 'a target that does not answer',
    code: 'TARGET_UNREACHABLE',
    names: /127\.0\.0\.1:\d+/,
    heals: true,
    pair: async ({ target }) => ({ targetUrl: withPort(target.url, await freePort()) }),
  },
  {
    name: 'a source database that is not there',
    code: 'SOURCE_DATABASE_MISSING',
    names: /no_such_database/,
    pair: ({ source }) => ({ sourceUrl: withDatabase(source.url, 'no_such_database') }),
  },
  {
    name: 'a source role that may not replicate',
    code: 'SOURCE_NO_PRIVILEGE',
    names: /REPLICATION|replicat/,
    pair: async ({ source }) => {
      await source.query(`CREATE ROLE ${roleOf(source)} LOGIN PASSWORD 'secret'`);
      await source.query(
        `GRANT ALL ON DATABASE ${source.name} TO ${roleOf(source)}; ALTER TABLE parcel OWNER TO ${roleOf(source)}`,
      );
      return { sourceUrl: withLogin(source.url, roleOf(source), 'secret') };
    },
  },
  {
    name: 'a target role that may not create tables',
    code: 'TARGET_NO_PRIVILEGE',
    names: /may not/,
    pair: async ({ target }) => {
      await target.query(`CREATE ROLE ${roleOf(target)} LOGIN PASSWORD 'secret'`);
      return { targetUrl: withLogin(target.url, roleOf(target), 'secret') };
    },
  },
  {
    name: 'a table that is not there',
    code: 'SOURCE_TABLE_MISSING',
    names: /public\.parcels .*public\.Parcel /,
    pair: () => ({ tables: [{ source: 'public.parcel' }, { source: 'public.parcels' }, { source: 'public.Parcel' }] }),
  },
  {
    name: 'a table without a key',
    code: 'SOURCE_TABLE_WITHOUT_KEY',
    names: /public\.note/,
    pair: async ({ source }) => {
      await source.query("CREATE TABLE note (body text); INSERT INTO note VALUES ('x')");
      return {};
    },
  },
  {
    name: 'a source column that is not there',
    code: 'SOURCE_COLUMN_MISSING',
    names: /no_such_column/,
    pair: () => ({
      tables: [{ source: 'public.parcel', columns: { pin: { from: 'id' }, value: { from: 'no_such_column' } } }],
    }),
  },
  {
    name: 'a target column that is not there',
    code: 'TARGET_COLUMN_MISSING',
    names: /situs/,
    pair: async ({ target }) => {
      await target.query('CREATE TABLE parcel (id bigint PRIMARY KEY)');
      return {};
    },
  },
  {
    name: 'an expression that does not compile',
    code: 'PAIR_EXPRESSION_INVALID',
    names: /row\.id ==/,
    pair: () => ({ tables: [{ source: 'public.parcel', where: 'row.id ==' }] }),
  },
];

describe('what somebody gets wrong is told by its name, and leaves nothing half-made behind', () => {
  let installation: Installation;
  let service: RunningService;

  beforeAll(async () => {
    installation = await freshInstallation();
    service = installation.start();
  });

  afterAll(() => service.stop());

  for (const { name, code, names, heals = false, pair } of cases) {
    test(`${name}: ${code}`, async () => {
      const ends = { source: await freshDatabase('source'), target: await freshDatabase('target') };
      await ends.source.query(
        "CREATE TABLE parcel (id bigint PRIMARY KEY, situs text); INSERT INTO parcel VALUES (1, 'x')",
      );
      const input = await pair(ends);
      const before = await tablesOf(ends.target);
      const made = await installation.addPair({ ...ends, ...input });
      const error = await made.untilError(code);
      expect(error).toMatch(names);
      expect(error).not.toContain('wrong');
      expect(error).not.toContain('secret');
      expect((await made.state()).state === 'failed').toBe(!heals);
      expect(await leftAt(ends.source)).toEqual([]);
      expect(await tablesOf(ends.target)).toEqual(before);
      // Promise 7: whatever we refuse, the source goes on with its work.
      for (const table of await tablesOf(ends.source)) await ends.source.query(`DELETE FROM ${table}`);
    });
  }

  test('wal_level = replica: SOURCE_WAL_LEVEL', async () => {
    await using server = await startPostgres({ settings: { wal_level: 'replica', fsync: 'off' } });
    const [source, target] = [await server.createDatabase('source'), await freshDatabase('target')];
    await source.query('CREATE TABLE parcel (id bigint PRIMARY KEY)');
    const pair = await installation.addPair({ source, target });
    expect(await pair.untilError('SOURCE_WAL_LEVEL')).toMatch(/wal_level is replica/);
    expect((await pair.state()).state).toBe('failed');
    expect(await leftAt(source)).toEqual([]);
    expect(await tablesOf(target)).toEqual([]);
  });

  test('once it is put right, a resume is enough', async () => {
    const ends = { source: await freshDatabase('source'), target: await freshDatabase('target') };
    await ends.source.query("CREATE TABLE note (body text); INSERT INTO note VALUES ('x')");
    const pair = await installation.addPair(ends);
    await pair.untilError('SOURCE_TABLE_WITHOUT_KEY');
    await ends.source.query('ALTER TABLE note ADD id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY');
    await installation.control.runs.setDesired(pair.id, 'running');
    await pair.until('streaming');
    expect(await ends.target.query('SELECT body FROM note')).toEqual([{ body: 'x' }]);
  });
});

/** Slots and publications at a source. */
async function leftAt(source: TestDatabase): Promise<unknown[]> {
  return source.query(
    `SELECT slot_name::text AS name FROM pg_replication_slots WHERE database = current_database()
     UNION ALL SELECT pubname FROM pg_publication`,
  );
}

const roleOf = (database: TestDatabase): string => `role_of_${database.name}`;

function withLogin(url: string, user: string, password: string): string {
  return changed(url, (each) => {
    each.username = user;
    each.password = password;
  });
}

function withPort(url: string, port: number): string {
  return changed(url, (each) => {
    each.port = String(port);
  });
}

function withDatabase(url: string, name: string): string {
  return changed(url, (each) => {
    each.pathname = `/${name}`;
  });
}

function changed(url: string, change: (url: URL) => void): string {
  const copy = new URL(url);
  change(copy);
  return copy.href;
}
