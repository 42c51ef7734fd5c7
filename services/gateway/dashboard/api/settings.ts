import type { SessionView } from '#schemas/http/session.ts';
import type { SettingsView } from '#schemas/http/settings.ts';
import { get, type AskOptions } from '../app/client.ts';

export const readSettings = (options?: AskOptions): Promise<SettingsView> => get('/api/settings', options);

/** Who the gateway takes us for. */
export const readWho = (options?: AskOptions): Promise<SessionView> => get('/api/session', options);
