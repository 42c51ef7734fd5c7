import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { scopeName } from '#services/control/scope.ts';
import type { App, GatewayDeps } from './gateway.ts';
import type {} from './last-known.ts';
import { reads } from './access/browser.ts';
import { Rush } from './rush.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** One answer may do for many who ask within a moment. Routes with `lastKnown` are such, too. */
    readonly shared?: boolean;
  }
  interface FastifyInstance {
    /** What was changed through this gateway since it started: nothing that was known before a change is believed after it. */
    readonly changes: { readonly count: number };
  }
}

/** How old an answer may be, in ms: no eye sees it, and however many ask, the control database is asked four times a second. */
const FRESH = 250;
/** Answers that are kept, at most. (Promise 6) */
const KEPT = 100;
/** A longer one is made for each who asks, in characters. */
const LARGEST = 256 * 1024;

/** What an answer tells is not older than when it was begun, by the clock that never runs backwards, and knows of so many changes. */
interface Begun {
  readonly begun: number;
  readonly changes: number;
}

/** Of those who ask for the same. */
interface Shared {
  answer?: Begun & { readonly text: string };
  /** One that is being made; undefined: it is not one for others. */
  next?: Begun & { readonly text: Promise<string | undefined> };
}

/** Counts requests that change something, before their answer is sent: who has it, asks for what came of it. */
export function countChanges(app: App): void {
  const changes = { count: 0 };
  app.decorate('changes', changes);
  app.addHook('onSend', (request, _reply, _payload, done) => {
    if (!reads(request)) changes.count += 1;
    done();
  });
}

/**
 * For routes that ask for it: when many ask for the same within a moment, and may see the same, they are given the same answer, as it was sent, unless
 * something was changed through this gateway meanwhile. Who asks now and then is always told what is now. (Decision record 0045)
 */
export function shareAnswers(app: App, { clock }: GatewayDeps): void {
  const all = new Map<string, Shared>();
  const rush = new Rush();
  const age = ({ begun, changes }: Begun): number =>
    changes === app.changes.count ? clock.monotonic() - begun : Infinity;

  function sharedOf(key: string): Shared {
    const shared = all.get(key) ?? {};
    // The latest at the end: the first one is the one to go.
    all.delete(key);
    all.set(key, shared);
    if (all.size > KEPT) all.delete(all.keys().next().value!);
    return shared;
  }

  /** Has an answer made, for whoever asks from now on too. */
  function begin(
    shared: Shared,
    reply: FastifyReply,
    handle: () => unknown,
  ): Promise<{ body: unknown; text?: string }> {
    const begun: Begun = { begun: clock.monotonic(), changes: app.changes.count };
    const made = (async () => {
      const body = await handle();
      if (!isForOthers(body, reply)) return { body };
      const text: unknown = reply.serialize(body);
      return typeof text === 'string' && text.length <= LARGEST ? { body, text } : { body };
    })();
    // What has failed for one is tried by the next.
    const next = { ...begun, text: made.then(({ text }) => text).catch(() => undefined) };
    shared.next = next;
    void next.text.then((text) => {
      if (shared.next !== next) return;
      delete shared.next;
      if (text !== undefined) shared.answer = { ...begun, text };
    });
    return made;
  }

  app.addHook('onRoute', (route: RouteOptions) => {
    const { config, handler } = route;
    if (route.method !== 'GET' || (config?.shared !== true && config?.lastKnown !== true)) return;
    route.handler = async function (request, reply) {
      const handle = (): unknown => handler.call(this, request, reply);
      const key = keyOf(request);
      if (!rush.has(key, clock.monotonic())) return await handle();
      const shared = sharedOf(key);
      const { answer, next } = shared;
      const isUnderWay = next !== undefined && age(next) <= FRESH;
      if (answer && age(answer) <= FRESH) {
        // Made anew before it is too old, so that nobody has to wait for it.
        if (age(answer) > FRESH / 2 && !isUnderWay) begin(shared, reply, handle).catch(() => undefined);
        return send(reply, answer.text);
      }
      const known = isUnderWay ? await next.text : undefined;
      if (known !== undefined) return send(reply, known);
      const { body, text } = await begin(shared, reply, handle);
      return text === undefined ? body : send(reply, text);
    };
  });
}

/** What they may see depends on role and systems, not on who they are. */
const keyOf = ({ principal, url, headers }: FastifyRequest): string =>
  JSON.stringify([principal?.role, scopeName(principal?.systems), headers.accept, url]);

/** Not what was sent already or is a table, and nothing from memory: that says how old it is, in headers too. */
function isForOthers(body: unknown, reply: FastifyReply): body is Record<string, unknown> {
  return (
    typeof body === 'object' &&
    body !== null &&
    body !== reply &&
    reply.statusCode === 200 &&
    Object.getPrototypeOf(body) === Object.prototype &&
    !('known' in body)
  );
}

function send(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}
