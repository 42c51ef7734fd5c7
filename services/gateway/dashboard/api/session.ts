import type { SessionView } from '#schemas/http/session.ts';
import { get, post, remove } from '../app/client.ts';

export const readSession = (): Promise<SessionView> => get('/api/session');
export const beginSession = (key: string): Promise<SessionView> => post('/api/session', { key });
export const endSession = (): Promise<void> => remove('/api/session');
