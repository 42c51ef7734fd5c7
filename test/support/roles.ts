import { onTestFinished } from 'vitest';
import type { TestDatabase } from './database.ts';

/** A role that owns the public tables and may stream, and nothing else: no event triggers. Gone after the test. @returns the URL to connect by */
export async function ownerUrl(database: TestDatabase): Promise<string> {
  const role = `owner_${database.name}`;
  await database.query(
    `CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'owner';
     GRANT CREATE ON DATABASE ${database.name} TO ${role}; GRANT ALL ON SCHEMA public TO ${role};
     DO $$ DECLARE t regclass; BEGIN
       FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       LOOP EXECUTE format('ALTER TABLE %s OWNER TO ${role}', t); END LOOP;
     END $$`,
  );
  onTestFinished(async () => {
    const me = await database.value('SELECT current_user');
    await database.query(`REASSIGN OWNED BY ${role} TO "${me}"; DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  });
  const url = new URL(database.url);
  url.username = role;
  url.password = 'owner';
  return url.href;
}
