import { describe, expect, test } from 'vitest';
import { isUniqueViolation } from '#services/kernel/database/index.ts';
import { withControlDatabase } from './control-database.ts';

const control = withControlDatabase();

async function makePair(name: string): Promise<string> {
  const { database } = control;
  const system = await database.one<{ id: string }>(
    `INSERT INTO terrafusion.systems (name, connector, connection) VALUES ($1, 'postgres', '{}') RETURNING id`,
    [`system-of-${name}-${Math.random()}`],
  );
  const pair = await database.one<{ id: string }>(
    `INSERT INTO terrafusion.sync_pairs (name, source_id, target_id, definition) VALUES ($1, $2, $2, '{"tables": null}') RETURNING id`,
    [name, system!.id],
  );
  return pair!.id;
}

describe('the tables of the control database', () => {
  test('tell who listens of every change to systems, pairs and operations', async () => {
    const { database } = control;
    const heard: unknown[] = [];
    await using listeners = new AsyncDisposableStack();
    listeners.use(
      database.listen('terrafusion_changes', (payload) =>
        heard.push(payload === undefined ? 'listening' : JSON.parse(payload)),
      ),
    );
    await expect.poll(() => heard).toEqual(['listening']);
    const id = await makePair('told');
    await database.run(`UPDATE terrafusion.sync_pairs SET desired = 'running' WHERE id = $1`, [id]);
    await database.run(
      `INSERT INTO terrafusion.sync_operations (pair_id, type, requested_by) VALUES ($1, 'full', 'test')`,
      [id],
    );
    await database.run('DELETE FROM terrafusion.sync_pairs WHERE id = $1', [id]);
    await expect.poll(() => heard.length).toBe(7);
    expect(heard.slice(1)).toMatchObject([
      { table: 'systems', op: 'insert' },
      { table: 'sync_pairs', op: 'insert', id },
      { table: 'sync_pairs', op: 'update', id },
      { table: 'sync_operations', op: 'insert' },
      { table: 'sync_pairs', op: 'delete', id },
      { table: 'sync_operations', op: 'delete' },
    ]);
  });

  test('count the version of a pair with its definition, and nothing else', async () => {
    const { database } = control;
    const id = await makePair('counted');
    const version = async (set: string) =>
      (
        await database.one<{ version: number }>(
          `UPDATE terrafusion.sync_pairs SET ${set} WHERE id = $1 RETURNING version`,
          [id],
        )
      )?.version;
    expect(await version(`desired = 'running'`)).toBe(1);
    expect(await version(`definition = '{"tables": []}'`)).toBe(2);
    expect(await version(`definition = '{"tables": []}'`)).toBe(2);
    expect(await version(`definition = '{"tables": null}', version = 99`)).toBe(3);
  });

  test('a deleted pair gives its name free before it is cleaned up', async () => {
    const { database } = control;
    const id = await makePair('same');
    await expect(makePair('same')).rejects.toSatisfy((error) => isUniqueViolation(error, 'sync_pairs_name_key'));
    await database.run('UPDATE terrafusion.sync_pairs SET deleted_at = now() WHERE id = $1', [id]);
    await makePair('same');
  });

  test('a dead letter that is stored again is not doubled', async () => {
    const { database } = control;
    const id = await makePair('lettered');
    const store = () =>
      database.run(
        `INSERT INTO terrafusion.dead_letters
           (pair_id, position, stage, source_schema, source_table, target_schema, target_table, op, code, reason, row, before)
         VALUES ($1, '1:0/10:3', 'process', 'a', 'b', 'c', 'd', 'insert', 'PAIR_ROW_INVALID', 'because', $2, NULL)
         ON CONFLICT (pair_id, position, stage, target_schema, target_table) DO NOTHING`,
        [id, { a: '1', b: null }],
      );
    expect(await store()).toBe(1);
    expect(await store()).toBe(0);
    expect(await database.query('SELECT position, row, before, state FROM terrafusion.dead_letters')).toEqual([
      { position: '1:0/10:3', row: { a: '1', b: null }, before: null, state: 'open' },
    ]);
  });
});
