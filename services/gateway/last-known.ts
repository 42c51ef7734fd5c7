import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { asTerraFusionError, type TerraFusionError } from '#schemas/errors.ts';
import type { Known } from '#schemas/http/common.ts';
import { scopeName } from '#services/control/scope.ts';
import { maskText } from '#services/kernel/masking.ts';
import type { App, GatewayDeps } from './gateway.ts';
import { isDatabaseAway } from './patience.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered as it was known last when the control database cannot be asked. */
    readonly lastKnown?: boolean;
  }
}

/** Answers that are remembered, at most. (Promise 6) */
const REMEMBERED = 300;
/** A larger one is not kept. */
const LARGEST = 256 * 1024;

/** They say what is down, the control database included. */
const withoutDatabase = new Set(['/api/status', '/api/v1/status', '/api/events', '/api/sync/health']);

/** Says of an answer from memory how old it is, and why it is not of now. */
export function knownAt(at: number, now: number, { code, message, fix }: TerraFusionError): Known {
  const age_s = Math.max(0, Math.round((now - at) / 1000));
  return { at: new Date(at).toISOString(), age_s, problem: { code, message: maskText(message), fix } };
}

interface Answer {
  readonly body: string;
  readonly at: number;
}

/**
 * For routes that ask for it: an answer is remembered, by caller and address, and given again with its age and with what is wrong when the
 * control database is away. What is known of pairs and operations is worth most when something is down. Nothing else falls back: who
 * wants to change something is told that it cannot be done now.
 */
export function answerFromMemory(app: App, { clock }: GatewayDeps): void {
  const answers = new Map<string, Answer>();
  const keyOf = ({ principal, url, headers }: FastifyRequest) =>
    // Two tokens of one holder may be limited to other systems.
    JSON.stringify([principal?.id, scopeName(principal?.systems), headers.accept, url]);

  function remember(key: string, body: unknown): void {
    const text = JSON.stringify(body);
    // The latest at the end: the first one is the one to go.
    answers.delete(key);
    if (text.length > LARGEST) return;
    answers.set(key, { body: text, at: clock.now() });
    if (answers.size > REMEMBERED) answers.delete(answers.keys().next().value!);
  }

  function recall(key: string, error: TerraFusionError, reply: FastifyReply): unknown {
    const answer = answers.get(key);
    if (!answer) throw error;
    const known = knownAt(answer.at, clock.now(), error);
    void reply.header('age', String(known.age_s)).header('warning', '110 terrafusion "Response is Stale"');
    return { ...(JSON.parse(answer.body) as object), known };
  }

  /** Nothing is remembered for these: they hear at once that it is away, instead of each waiting for it. */
  function refuseAtOnce(route: RouteOptions): void {
    const { handler } = route;
    route.handler = function (request, reply) {
      const { state } = app.controlDatabase.status();
      // Its trial is a request that waits.
      if (state !== 'open') return handler.call(this, request, reply);
      return app.controlDatabase.ask(() => Promise.resolve(handler.call(this, request, reply)));
    };
  }

  app.addHook('onRoute', (route: RouteOptions) => {
    if (route.config?.lastKnown !== true) {
      if (route.url.startsWith('/api/') && !withoutDatabase.has(route.url)) refuseAtOnce(route);
      return;
    }
    const { handler } = route;
    route.handler = async function (request, reply) {
      const key = keyOf(request);
      try {
        const body: unknown = await app.controlDatabase.ask(() => Promise.resolve(handler.call(this, request, reply)));
        if (typeof body === 'object' && body !== null && body !== reply) remember(key, body);
        return body;
      } catch (thrown) {
        const error = asTerraFusionError(thrown);
        if (isDatabaseAway(error)) return recall(key, error, reply);
        throw thrown;
      }
    };
  });
}
