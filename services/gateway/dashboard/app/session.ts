import { signal } from '@preact/signals';
import type { Role } from '#schemas/http/common.ts';
import { ApiError, get, setCredentials } from './client.ts';

/** Who looks at the page. */
export type Session =
  | { readonly state: 'checking' }
  | { readonly state: 'out'; readonly problem: ApiError | undefined }
  /** `role` undefined: not told; what the key may not do is refused with a message that names the role. */
  | { readonly state: 'in'; readonly role: Role | undefined; readonly canSignOut: boolean };

export const session = signal<Session>({ state: 'checking' });

const STORAGE = 'terrafusion.key';
const rank: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, editor: 2, admin: 3 };

// The key lives as long as the tab, and is sent as a header: another site cannot have the browser send it.
setCredentials({
  headers: () => {
    const key = sessionStorage.getItem(STORAGE);
    return key === null ? {} : { 'x-api-key': key };
  },
  rejected: (error) => {
    const had = sessionStorage.getItem(STORAGE) !== null;
    sessionStorage.removeItem(STORAGE);
    session.value = { state: 'out', problem: had ? error : undefined };
  },
});

/** Finds out whether the gateway lets us in as we are: with the key of this tab, or without one where none is required. */
export async function openSession(): Promise<void> {
  try {
    await get('/api/status');
  } catch (error) {
    // Then `rejected` has said so. Anything else is no question of who we are: the page opens and says what is down.
    if (error instanceof ApiError && error.status === 401) return;
  }
  session.value = { state: 'in', role: undefined, canSignOut: sessionStorage.getItem(STORAGE) !== null };
}

/** @throws {ApiError} the key is not good, or nobody is there to say so */
export async function signIn(key: string): Promise<void> {
  sessionStorage.setItem(STORAGE, key);
  try {
    await get('/api/status');
  } catch (error) {
    sessionStorage.removeItem(STORAGE);
    throw error;
  }
  session.value = { state: 'in', role: undefined, canSignOut: true };
}

export function signOut(): void {
  sessionStorage.removeItem(STORAGE);
  session.value = { state: 'out', problem: undefined };
}

/** Whether whoever looks may do what needs this role; true as well while nobody has told: the gateway decides in the end. */
export function may(wanted: Role): boolean {
  const now = session.value;
  return now.state === 'in' && (now.role === undefined || rank[now.role] >= rank[wanted]);
}
