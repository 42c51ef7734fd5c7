import { expect, test } from 'vitest';
import { connectorNames, loadConnector } from '#connectors/registry.ts';

test('postgres is registered, as a source and as a target, and tells its secrets', async () => {
  expect(connectorNames).toContain('postgres');
  const connector = await loadConnector('postgres');
  expect(connector).toMatchObject({ name: 'postgres', secretFields: ['password'] });
  const settings = connector.settings.parse({ url: 'postgresql://a:b@db/d' });
  expect(connector.normalise(settings)).toEqual({ url: 'postgresql://a@db/d', password: 'b' });
  expect(connector.source?.(settings)).toHaveProperty('openReader');
  expect(connector.target?.(settings)).toHaveProperty('openWriter');
});

test('a name nobody registered', async () => {
  await expect(loadConnector('abacus')).rejects.toThrow(/abacus.*postgres/);
});
