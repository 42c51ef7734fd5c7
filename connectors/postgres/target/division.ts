import type pg from 'pg';
import type { ApartTables, Applied, DivideRequest, Division, JoinRequest } from '#connectors/contract/target.ts';
import { syncKey, TAKEN_BACK } from '#connectors/contract/target.ts';
import { comparePositions } from '#schemas/position.ts';
import { formatTableName, type TableEnds, type TableName } from '#schemas/tables.ts';
import {
  ensureBookkeeping,
  heldBy,
  keepWritersOut,
  readApplied,
  SCHEMA,
  storedApart,
  storeSql,
  storeValues,
} from './bookkeeping.ts';
import { readTables } from './describe.ts';
import { dropStaged } from './staging.ts';

/** `Target.divide`. Writers of the pair are kept out for the moment it takes, and are fenced by what it changes. */
export async function divide(
  client: pg.ClientBase,
  pairId: string,
  request: DivideRequest,
): Promise<Applied | undefined> {
  const seen = await readApplied(client, pairId);
  if (seen === undefined || isDivided(seen.division!, request)) return seen;
  await ensureBookkeeping(client);
  return inTransaction(client, async () => {
    await keepWritersOut(client, pairId);
    const held = await heldBy(client, pairId);
    if (held === undefined || isDivided(held.division!, request)) return held;
    const { epoch, version, apart } = held.division!;
    const from = { position: held.position, topic: held.topic, nextOffset: held.nextOffset };
    const wanted = [...request.apart, ...(request.version > version ? request.withVersion : [])];
    const fresh = wanted.filter(
      ({ sync }, index) =>
        !apart.some((entry) => entry.sync === sync) && wanted.findIndex((each) => each.sync === sync) === index,
    );
    const division: Division = {
      epoch: epoch + 1,
      version: Math.max(version, request.version),
      apart: [...remaining(apart, wanted, held), ...fresh.map(({ sync, tables }) => ({ sync, tables, from }))],
    };
    await store(client, pairId, division);
    return { ...held, division };
  });
}

/** Whether there is nothing to do: all of it is done, or the request is of the past. */
function isDivided({ version, apart }: Division, request: DivideRequest): boolean {
  if (request.version !== version) return request.version < version;
  return request.apart.every(({ sync, tables }) => {
    const entry = apart.find((each) => each.sync === sync);
    return entry !== undefined && (entry.until !== undefined || missing(entry, tables).length === 0);
  });
}

const missing = ({ tables }: ApartTables, wanted: readonly TableEnds[]): TableEnds[] => {
  const names = new Set(tables.map(nameOf));
  return wanted.filter((table) => !names.has(nameOf(table)));
};

/**
 * Entries that still say something: with what comes along to their sync, without what goes over to another one, and without those that the
 * stream has long passed.
 */
function remaining(
  apart: readonly ApartTables[],
  wanted: DivideRequest['apart'],
  { position }: Applied,
): ApartTables[] {
  const syncOf = new Map(wanted.flatMap(({ sync, tables }) => tables.map((table) => [nameOf(table), sync])));
  return apart
    .filter(({ until }) => until === undefined || comparePositions(until, position) > 0)
    .map((entry) => {
      const asked = entry.until === undefined ? wanted.find(({ sync }) => sync === entry.sync) : undefined;
      const kept = entry.tables.filter((table) => (syncOf.get(nameOf(table)) ?? entry.sync) === entry.sync);
      return { ...entry, tables: [...kept, ...missing(entry, asked?.tables ?? [])] };
    })
    .filter(({ tables }) => tables.length > 0);
}

/** `Target.join`. */
export async function join(
  client: pg.ClientBase,
  pairId: string,
  { sync, version }: JoinRequest,
): Promise<'joined' | 'behind' | 'gone'> {
  return inTransaction(client, async () => {
    // The sync's batch under way first: while it is waited for, the pair's stream goes on.
    await keepWritersOut(client, syncKey(pairId, sync));
    const own = await readApplied(client, syncKey(pairId, sync));
    await keepWritersOut(client, pairId);
    const held = await readApplied(client, pairId);
    const entry = held?.division?.apart.find((each) => each.sync === sync);
    if (entry?.until !== undefined) return 'joined';
    if (held === undefined || entry === undefined || own === undefined) return 'gone';
    if (comparePositions(own.position, held.position) < 0) return 'behind';
    const { division } = held;
    await store(client, pairId, {
      epoch: division!.epoch + 1,
      version: Math.max(division!.version, version),
      apart: division!.apart.map((each) => (each === entry ? { ...each, until: own.position } : each)),
    });
    const keys = [pairId, syncKey(pairId, sync)];
    await client.query(`DELETE FROM ${SCHEMA}.applied_positions WHERE pair_id = $1`, [keys[1]]);
    // What the tables looked like when they were loaded is what the pair's stream compares with from here on.
    await client.query(
      `DELETE FROM ${SCHEMA}.held_tables WHERE pair_id = $1 AND relation_id IN (
         SELECT relation_id FROM ${SCHEMA}.held_tables WHERE pair_id = $2)`,
      keys,
    );
    await client.query(`UPDATE ${SCHEMA}.held_tables SET pair_id = $1 WHERE pair_id = $2`, keys);
    // It is past all that its load has read: nothing is laid over any more.
    for (const table of ['loads', 'load_chunks'])
      await client.query(`DELETE FROM ${SCHEMA}.${table} WHERE pair_id = $1`, [keys[1]]);
    return 'joined';
  });
}

/** Past the number of every load: none of the key may begin any more. */
const NO_MORE = 2_147_483_647;

/** `Target.takeBack`. */
export async function takeBack(
  client: pg.ClientBase,
  pairId: string,
  sync: number,
): Promise<Applied | 'replaced' | undefined> {
  await ensureBookkeeping(client);
  return inTransaction(client, async () => {
    const key = syncKey(pairId, sync);
    const seen = (await readApplied(client, pairId))?.division?.apart.find((each) => each.sync === sync);
    if (seen === undefined) return undefined;
    // Whoever is still at work on its load waits for this, or is waited for: then it is known how far it has come.
    const { rows } = await client.query<{ readonly prepared: boolean }>(
      `INSERT INTO ${SCHEMA}.loads AS l (pair_id, number, begun) VALUES ($1, $2, '')
       ON CONFLICT (pair_id) DO UPDATE SET epoch = l.epoch + 1, number = CASE WHEN l.prepared THEN l.number ELSE excluded.number END
       RETURNING prepared`,
      [key, NO_MORE],
    );
    const held = await heldBy(client, key);
    if (held !== undefined) return held;
    if (rows[0]!.prepared) return 'replaced';
    await dropStaged(client, key);
    // Their stream goes on from where they left, and so does what they look like.
    await client.query(`DELETE FROM ${SCHEMA}.held_tables WHERE pair_id = $1`, [key]);
    await client.query(
      `INSERT INTO ${SCHEMA}.held_tables (pair_id, relation_id, description)
       SELECT $2, h.relation_id, h.description FROM ${SCHEMA}.held_tables h, jsonb_array_elements($3::jsonb) t
        WHERE h.pair_id = $1 AND h.description->'target' = t`,
      [pairId, key, JSON.stringify(seen.tables.map(({ target: { schema, name } }) => ({ schema, name })))],
    );
    await client.query(storeSql, storeValues(key, { ...seen.from, overlayUntil: 0n }));
    await client.query(`UPDATE ${SCHEMA}.applied_positions SET definition_version = $2 WHERE pair_id = $1`, [
      key,
      TAKEN_BACK,
    ]);
    return heldBy(client, key);
  });
}

async function store(client: pg.ClientBase, pairId: string, { epoch, version, apart }: Division): Promise<void> {
  await client.query(
    `UPDATE ${SCHEMA}.applied_positions SET epoch = $2, definition_version = $3, apart = $4 WHERE pair_id = $1`,
    [pairId, epoch, version, storedApart(apart)],
  );
}

/** `Target.connected`. */
export async function connected(client: pg.ClientBase, tables: readonly TableName[]): Promise<TableName[][]> {
  const found = await readTables(client, tables);
  const groupOf = new Map(found.map((table) => [table.oid, new Set([table])]));
  for (const table of found) {
    for (const { references } of table.foreignKeys) {
      const [one, other] = [groupOf.get(table.oid)!, groupOf.get(references)];
      if (other === undefined || other === one) continue;
      for (const each of other) {
        one.add(each);
        groupOf.set(each.oid, one);
      }
    }
  }
  return [...new Set(groupOf.values())].map((group) => [...group].map(({ schema, name }) => ({ schema, name })));
}

const nameOf = ({ source }: TableEnds): string => formatTableName(source);

async function inTransaction<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
