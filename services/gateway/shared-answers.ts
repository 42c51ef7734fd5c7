import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { scopeName } from '#services/control/scope.ts';
import type { App, GatewayDeps } from './gateway.ts';
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
const KEPT = 300;
/** A longer one is made for each who asks, in characters. */
const LARGEST = 256 * 1024;

interface Answer {
  /** By the clock that never runs backwards, when it was begun: what it tells is not older. */
  readonly begun: number;
  readonly changes: number;
  /** undefined: it is not one for others. */
  readonly text: Promise<string | undefined>;
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
  const answers = new Map<string, Answer>();
  const rush = new Rush();
  const isFresh = ({ begun, changes }: Answer): boolean =>
    changes === app.changes.count && clock.monotonic() - begun <= FRESH;

  function keep(key: string, answer: Answer): void {
    // In the order in which they were begun.
    answers.delete(key);
    for (const [old, held] of answers) {
      if (isFresh(held) && answers.size < KEPT) break;
      answers.delete(old);
    }
    answers.set(key, answer);
  }

  app.addHook('onRoute', (route: RouteOptions) => {
    const { config, handler } = route;
    if (route.method !== 'GET' || (config?.shared !== true && config?.lastKnown !== true)) return;
    route.handler = async function (request, reply) {
      const key = keyOf(request);
      if (!rush.has(key, clock.monotonic())) return (await handler.call(this, request, reply)) as unknown;
      const held = answers.get(key);
      const known = held && isFresh(held) ? await held.text : undefined;
      if (known !== undefined) return send(reply, known);

      const answer = Promise.resolve(handler.call(this, request, reply));
      const text = answer.then((body) => {
        if (!isForOthers(body, reply)) return undefined;
        const serialized = reply.serialize(body);
        return typeof serialized === 'string' && serialized.length <= LARGEST ? serialized : undefined;
      });
      text.catch(() => undefined);
      keep(key, {
        begun: clock.monotonic(),
        changes: app.changes.count,
        // What has failed for one is tried by the next.
        text: text.catch(() => undefined),
      });
      const body: unknown = await answer;
      const own = await text;
      return own === undefined ? body : send(reply, own);
    };
  });
}

/** What they may see depends on role and systems, not on who they are. */
const keyOf = ({ principal, url, headers }: FastifyRequest): string =>
  JSON.stringify([principal?.role, scopeName(principal?.systems), headers.accept, url]);

/** Not what was sent already or is a table, and nothing from memory: that says how old it is, in headers too. */
function isForOthers(body: unknown, reply: FastifyReply): boolean {
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
