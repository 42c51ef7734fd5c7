import { describe, expect, test } from 'vitest';
import type { RolesView } from '#schemas/http/roles.ts';
import type { OpenSession, SessionView } from '#schemas/http/session.ts';
import type { SettingsView } from '#schemas/http/settings.ts';
import { routeAccess } from '#services/gateway/roles.ts';
import { withGateway } from './fixture.ts';

const gateway = withGateway();

describe('the settings', () => {
  test('are told to administrators, with versions, disk and retention', async () => {
    const { status, body } = await gateway.ask<SettingsView>('/api/settings');
    expect(status).toBe(200);
    expect(body.settings).toEqual([
      { name: 'GATEWAY_PORT', value: '5000', origin: 'default', description: 'Port.' },
      { name: 'DATABASE_URL', value: '[secret]', origin: 'environment', description: 'The control database.' },
    ]);
    expect(body.versions).toMatchObject({ terrafusion: '0.1.0', node: process.versions.node });
    expect(body.versions.control_database).toMatch(/^\d+\.\d+/);
    expect(body.versions.schema).toMatch(/^\d{4}_/);
    expect(body.data.folder).toBe('/');
    expect(body.data.disk_free_bytes).toBeGreaterThan(0);
    expect(body.data.disk_total_bytes).toBeGreaterThanOrEqual(body.data.disk_free_bytes!);
    expect(body.retention.find(({ what }) => what === 'Audit trail')).toMatchObject({ kept: 'for ever' });
    for (const as of ['viewer', 'operator', 'editor'] as const)
      expect((await gateway.ask('/api/settings', { as })).status).toBe(403);
  });
});

describe('the roles', () => {
  test('are the table by which the gateway decides', async () => {
    const { body } = await gateway.ask<RolesView>('/api/roles', { as: 'viewer' });
    expect(body.roles.map(({ role }) => role)).toEqual(['viewer', 'operator', 'editor', 'admin']);
    const told = new Map(body.endpoints.map(({ method, path, ...rest }) => [`${method} ${path}`, rest]));
    expect(told.get('POST /api/sync-pairs/{id}/pause')).toMatchObject({ access: 'operator', all_systems: false });
    expect(told.get('POST /api/keys')).toMatchObject({ access: 'admin', section: 'Keys', all_systems: true });
    // Every endpoint of the API is in it, each with words of its own.
    const api = Object.keys(routeAccess).filter((line) => line.includes(' /api/'));
    expect([...told.keys()].filter((line) => line.includes(' /api/')).sort()).toEqual(
      api.map((line) => line.replace(/:(\w+)/g, '{$1}')).sort(),
    );
    for (const { summary } of body.endpoints) expect(summary).not.toBe('');
  });
});

describe('open sessions', () => {
  const login = async (key: string): Promise<string> => {
    const reply = await gateway.ask<SessionView>('/api/session', { method: 'POST', as: 'nobody', body: { key } });
    return String([reply.headers['set-cookie']].flat()).split(';', 1)[0]!;
  };
  const list = async (query = '', headers: Record<string, string> = {}): Promise<OpenSession[]> => {
    const reply = await gateway.ask<{ items: OpenSession[] }>(`/api/sessions${query}`, {
      ...(headers['cookie'] === undefined ? {} : { as: 'nobody' }),
      headers,
    });
    return reply.body.items;
  };

  test('are listed without what opens them, and can be ended', async () => {
    const own = await login(gateway.keys.admin);
    const other = await login(gateway.keys.viewer);
    const sessions = await list('', { cookie: own });
    expect(sessions.map(({ key, current }) => [key.name, current])).toEqual([
      ['the viewer', false],
      ['the admin', true],
    ]);
    expect(JSON.stringify(sessions)).not.toContain(other.split('=')[1]!);
    expect(await list(`?key=${sessions[0]!.key.id}`)).toMatchObject([{ id: sessions[0]!.id }]);
    const page = await gateway.ask<{ items: OpenSession[]; next_cursor: string }>('/api/sessions?limit=1');
    expect(await list(`?limit=1&cursor=${page.body.next_cursor}`)).toMatchObject([{ id: sessions[1]!.id }]);

    const asViewer = { as: 'nobody', headers: { cookie: other } } as const;
    expect((await gateway.ask('/api/status', asViewer)).status).toBe(200);
    expect((await gateway.ask('/api/sessions', asViewer)).status).toBe(403);
    expect((await gateway.ask(`/api/sessions/${sessions[0]!.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await gateway.ask('/api/status', asViewer)).status).toBe(401);
    const trail = await gateway.ask<{ items: unknown[] }>(`/api/audit?entity_id=${sessions[0]!.id}`);
    expect(trail.body.items).toMatchObject([{ action: 'session.end' }, { action: 'session.create' }]);
  });
});
