import { describe, expect, test } from 'vitest';
import { Secret } from '#schemas/secret.ts';
import { openControl } from '#services/control/control.ts';
import { SecretBox } from '#services/kernel/secrets.ts';
import { makePair, missingId, withControl } from './fixture.ts';

const fixture = withControl();
const connection = { url: 'postgresql://sync@db/pacs', password: 'hunter2-marker', application_name: 'x' };
const secretFields = ['password'];

describe('systems', () => {
  test('keep secrets encrypted, show them masked, and open them for the connector only (Promise 8)', async () => {
    const { control } = fixture;
    const made = await control.systems.create({
      name: 'county-pacs',
      kind: 'PACS',
      connector: 'postgres',
      connection,
      secretFields,
    });
    expect(made).toMatchObject({ name: 'county-pacs', kind: 'PACS', environment: 'production', inline: false });
    expect(made.connection).toEqual({ ...connection, password: '[secret]' });
    const stored = await control.database.query<{ text: string }>('SELECT s::text AS text FROM terrafusion.systems s');
    expect(JSON.stringify(stored)).not.toContain('hunter2-marker');
    expect(await control.systems.connectionOf('county-pacs')).toEqual({ connector: 'postgres', settings: connection });
    const otherKey = openControl(control.database, new SecretBox(new Secret('another master key')));
    await expect(otherKey.systems.connectionOf(made.id)).rejects.toMatchObject({ code: 'MASTER_KEY_WRONG' });
  });

  test('are found by id and by name, the id first', async () => {
    const { systems } = fixture.control;
    const one = await systems.create({ name: 'one', connector: 'postgres', connection, secretFields });
    // A name may look like an id.
    const two = await systems.create({ name: one.id, connector: 'postgres', connection, secretFields });
    expect(await systems.get(one.id)).toEqual(one);
    expect(await systems.get('one')).toEqual(one);
    await systems.delete(one.id);
    expect(await systems.get(one.id)).toEqual(two);
    expect(await systems.find('none')).toBeUndefined();
    await expect(systems.get(missingId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('have names of their own', async () => {
    const { systems } = fixture.control;
    const a = await systems.create({ name: 'taken', connector: 'postgres', connection, secretFields });
    const b = await systems.create({ name: 'free', connector: 'postgres', connection, secretFields });
    await expect(
      systems.create({ name: 'taken', connector: 'postgres', connection, secretFields }),
    ).rejects.toMatchObject({
      code: 'CONFLICTING_STATE',
      message: 'There is a system "taken" already',
    });
    await expect(systems.change(b.id, { name: 'taken' })).rejects.toMatchObject({ code: 'CONFLICTING_STATE' });
    expect(await systems.change(a.id, { name: 'taken', environment: 'training' })).toMatchObject({
      id: a.id,
      environment: 'training',
      connection: { password: '[secret]' },
    });
    await expect(systems.change(missingId, { kind: 'GIS' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('come in pages by name, with filters, without those made for a pair', async () => {
    const { systems } = fixture.control;
    for (const index of [1, 2, 3, 4, 5]) {
      await systems.create({
        name: `gis-${index}`,
        kind: 'GIS',
        connector: 'postgres',
        connection,
        secretFields,
        inline: index === 3,
      });
    }
    const first = await systems.list({ kind: 'GIS' }, { limit: 3 });
    expect(first.items.map(({ name }) => name)).toEqual(['gis-1', 'gis-2', 'gis-4']);
    const second = await systems.list({ kind: 'GIS' }, { limit: 3, cursor: first.nextCursor });
    expect(second).toMatchObject({ items: [{ name: 'gis-5' }], nextCursor: undefined });
    expect((await systems.list({ text: 'is-4' }, { limit: 3 })).items).toHaveLength(1);
    // No pattern of the caller's.
    expect((await systems.list({ text: 'gis_4' }, { limit: 3 })).items).toHaveLength(0);
    await expect(systems.list({}, { limit: 3, cursor: 'nonsense' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });

  test('stay while a pair uses them, one that is being removed too', async () => {
    const { control } = fixture;
    const pair = await makePair(control, 'uses');
    await expect(control.systems.delete(pair.sourceId)).rejects.toMatchObject({
      code: 'CONFLICTING_STATE',
      message: 'The system is still used by: uses',
    });
    await control.pairs.delete(pair.id);
    await expect(control.systems.delete(pair.sourceId)).rejects.toThrow('uses (being removed)');
    await control.pairs.purge(pair.id);
    await control.systems.delete(pair.sourceId);
    expect(await control.systems.find(pair.sourceId)).toBeUndefined();
  });
});
