import { signal } from '@preact/signals';
import type { Role } from '#schemas/http/common.ts';
import type { SessionView } from '#schemas/http/session.ts';
import { beginSession, endSession, readSession } from '../api/session.ts';
import { ApiError, pause, setCredentials } from './client.ts';
import { asApi, forgetAll } from './hooks.ts';

/** Who looks at the page. */
export type Session =
  /** `problem`: nobody is there to say who we are; it is tried again. */
  | { readonly state: 'checking'; readonly problem: ApiError | undefined }
  | { readonly state: 'out'; readonly problem: ApiError | undefined }
  | { readonly state: 'in'; readonly who: SessionView };

export const session = signal<Session>({ state: 'checking', problem: undefined });

const rank: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, editor: 2, admin: 3 };
/** Between two tries to find out who we are, in ms. */
const AGAIN = 3000;

// The session is in a cookie that no script can read. What changes something also carries the token, which other sites cannot know.
setCredentials({
  headers: (method) => {
    const now = session.value;
    const token = now.state === 'in' ? now.who.csrf_token : null;
    return method === 'GET' || token === null ? {} : { 'x-csrf-token': token };
  },
  rejected: (error) => {
    // Somebody who was never in has done nothing wrong.
    if (session.value.state !== 'out') leave(session.value.state === 'in' ? error : undefined);
  },
  renew: async () => {
    session.value = { state: 'in', who: await readSession() };
  },
});

/** Finds out whether the gateway knows this browser, or asks for no key at all; waits for the gateway when it is away. */
export async function openSession(): Promise<void> {
  for (;;) {
    try {
      session.value = { state: 'in', who: await readSession() };
      return;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return;
      session.value = { state: 'checking', problem: asApi(error) };
    }
    await pause(AGAIN);
  }
}

/** @throws {ApiError} the key is not good, or nobody is there to say so */
export async function signIn(key: string): Promise<void> {
  session.value = { state: 'in', who: await beginSession(key) };
}

/** @throws {ApiError} the session goes on */
export async function signOut(): Promise<void> {
  await endSession();
  leave(undefined);
}

function leave(problem: ApiError | undefined): void {
  // Whoever comes next sees nothing of what this one has read.
  forgetAll();
  session.value = { state: 'out', problem };
}

/** Whether whoever looks may do what needs this role. The gateway decides in the end: here buttons are left out. */
export function may(wanted: Role): boolean {
  const now = session.value;
  return now.state === 'in' && rank[now.who.role] >= rank[wanted];
}
