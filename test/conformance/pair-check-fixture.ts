import type { z } from 'zod';
import { postgresSource } from '#connectors/postgres/source/source.ts';
import { postgresTarget } from '#connectors/postgres/target/target.ts';
import { postgresSettings } from '#connectors/postgres/settings.ts';
import type { CheckView } from '#schemas/http/common.ts';
import type { PairCheckReport } from '#schemas/http/pairs.ts';
import { pairConfig, tableInput } from '#schemas/pairs.ts';
import { checkWholePair, type PairToCheck } from '#services/pair-check/check-pair.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { contextOf } from './postgres-source-fixture.ts';

export interface CheckInput {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly sourceUrl?: string;
  readonly targetUrl?: string;
  readonly tables?: readonly z.input<typeof tableInput>[];
  readonly config?: z.input<typeof pairConfig>;
  readonly proof?: boolean;
  readonly plan?: boolean;
  readonly loaded?: boolean;
  readonly surroundings?: PairToCheck['surroundings'];
  readonly stream?: PairToCheck['stream'];
}

/** The whole check of a pair, as gateway and sync-service run it. */
export function checkOf(input: CheckInput): Promise<PairCheckReport> {
  const { source, target, sourceUrl = source.url, targetUrl = target.url } = input;
  return checkWholePair(
    {
      definition: {
        version: 1,
        tables: input.tables?.map((table) => tableInput.parse(table)),
        config: pairConfig.parse(input.config ?? {}),
      },
      source: postgresSource(postgresSettings.parse({ url: sourceUrl })),
      target: postgresTarget(postgresSettings.parse({ url: targetUrl })),
      loaded: input.loaded ?? false,
      surroundings: input.surroundings ?? { source: 'a', target: 'b', others: [] },
      stream: input.stream,
      proof: input.proof ?? false,
      plan: input.plan ?? false,
    },
    (_end, work) => work(contextOf()),
  );
}

/** Every check of the report, wherever it stands. */
export const allChecks = ({ source, target, tables }: PairCheckReport): CheckView[] => [
  ...source,
  ...target,
  ...tables.flatMap(({ checks }) => checks),
];

/** Everything that anybody would find in a database: schemas, tables, indexes, sequences, types, publications, slots. */
export async function inventory(database: TestDatabase): Promise<unknown> {
  const things = await database.query<{ thing: string }>(
    `SELECT 'schema ' || nspname AS thing FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
     UNION ALL SELECT 'class ' || oid::regclass FROM pg_class WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace
     UNION ALL SELECT 'type ' || oid::regtype FROM pg_type WHERE oid >= 16384
     UNION ALL SELECT 'publication ' || pubname FROM pg_publication
     UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
     ORDER BY 1`,
  );
  return things.map(({ thing }) => thing);
}
