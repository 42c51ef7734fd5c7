import type { Role } from '#schemas/http/common.ts';
import type { KeyMade, KeyView } from '#schemas/http/keys.ts';
import type { RolesView } from '#schemas/http/roles.ts';
import type { OpenSession } from '#schemas/http/session.ts';
import type { SystemView } from '#schemas/http/systems.ts';
import { get, post, remove, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { pathOf, withQuery } from '../app/paths.ts';

export interface NewKey {
  readonly name: string;
  readonly role: Role;
  readonly expires_at?: string;
  /** Ids or names of systems; all when left out. */
  readonly systems?: readonly string[];
}

export const listKeys = (
  filter: { readonly role?: Role | undefined; readonly cursor?: string | undefined },
  options?: AskOptions,
): Promise<ListPage<KeyView>> => get(withQuery('/api/keys', { ...filter }), options);

export const createKey = (key: NewKey): Promise<KeyMade> => post('/api/keys', key);

/** @param overlapS how long the secret before still opens */
export const rotateKey = (key: string, overlapS: number): Promise<KeyMade> =>
  post(pathOf('/api/keys/:key/rotate', { key }), { overlap_s: overlapS });

export const revokeKey = (key: string): Promise<void> => remove(pathOf('/api/keys/:key', { key }));

export const listSessions = (cursor: string | undefined, options?: AskOptions): Promise<ListPage<OpenSession>> =>
  get(withQuery('/api/sessions', { cursor }), options);

export const endOpenSession = (session: string): Promise<void> => remove(pathOf('/api/sessions/:session', { session }));

export const readRoles = (options?: AskOptions): Promise<RolesView> => get('/api/roles', options);

/** For choosing what a key is limited to. */
export const listScopes = (options?: AskOptions): Promise<ListPage<SystemView>> =>
  get(withQuery('/api/systems', { limit: 1000 }), options);
