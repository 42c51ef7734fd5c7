import { beforeAll, describe, expect, test } from 'vitest';
import { errorKinds, type ErrorCode } from '#schemas/errors.ts';
import { errorReply, roles, type Role } from '#schemas/http/common.ts';
import { mayAct, routeAccess, type Access } from '#services/gateway/roles.ts';
import { withGateway, type Ask, type Failure, type Reply } from './fixture.ts';
import { examples, makeThings, MIB, pathOf, split, unknownId, type Example, type Things } from './route-examples.ts';

const gateway = withGateway();
const callers = ['nobody', ...roles] as const;
type Caller = (typeof callers)[number];

const json = { 'content-type': 'application/json' };
let shared: Things;
let made = 0;
beforeAll(async () => {
  shared = await makeThings(gateway.control, 'shared');
}, 60_000);

const isWriting = (route: string): boolean => !route.startsWith('GET ');
/** Pages, health and the like need no key and take nothing: `access.test.ts` has them. */
const needed = Object.entries(routeAccess).filter(([route, access]) => access !== 'public' || isWriting(route));
// A stream has no end to wait for: `status.test.ts` and `session.test.ts` read it.
const routes = needed.filter(([route]) => route !== 'GET /api/events');

/** What a caller is told before anything else is looked at; undefined: he may. */
function refusal(who: Caller, access: Access): readonly [number, ErrorCode] | undefined {
  if (access === 'public') return undefined;
  if (who === 'nobody') return [401, 'UNAUTHENTICATED'];
  return mayAct(who, access) ? undefined : [403, 'FORBIDDEN'];
}

async function ask(route: string, who: Caller, id: string, more: Ask = {}): Promise<Reply<Failure>> {
  const { method } = split(route);
  return gateway.ask<Failure>(pathOf(route, id), { method, as: who, remoteAddress: '10.7.0.1', ...more });
}

/** The envelope is whole, and its code and status belong together. */
function expectRefused(reply: Reply<Failure>, expected: readonly [number, ErrorCode], what: string): void {
  expect([reply.status, reply.body.error.code], what).toEqual(expected);
  expect(errorReply.safeParse(reply.body).success, what).toBe(true);
  expect(errorKinds[expected[1]].status, what).toBe(expected[0]);
  expect(reply.body.error.request_id).toBe(reply.headers['x-request-id']);
}

async function everybody(
  access: Access,
  what: string,
  asked: (who: Caller) => Promise<Reply<Failure>>,
  expected: (reply: Reply<Failure>, who: Caller) => void,
): Promise<void> {
  for (const who of callers) {
    const reply = await asked(who);
    const refused = refusal(who, access);
    if (refused) expectRefused(reply, refused, `${who}: ${what}`);
    else expected(reply, who);
  }
}

const idOf = ({ of }: Example, things: Things): string => (of === undefined ? '' : things[of]);

describe('every route', () => {
  test('that needs a key or changes something has its line in the examples, and the other way round', () => {
    expect(Object.keys(examples).sort()).toEqual(needed.map(([route]) => route).sort());
    for (const [route] of needed) {
      const names = split(route).url.match(/:(id|job_id)\b/) !== null;
      expect(examples[route]!.of !== undefined, `${route} names a thing`).toBe(names);
    }
  });
});

const withBody = routes.filter(([route]) => examples[route]!.body);
const withId = routes.filter(([route]) => examples[route]!.of);
const writing = routes.filter(([route]) => isWriting(route));

describe('every route, asked by everybody', () => {
  test.each(routes)('%s is answered to whom it is for (%s), and to nobody else', async (route, access) => {
    const example = examples[route]!;
    const { body, status = 200 } = example;
    await everybody(
      access,
      'valid',
      async (who) => {
        const allowed = refusal(who, access) === undefined;
        // Each has a thing of his own: one that was removed cannot be removed again.
        const things = allowed && isWriting(route) ? await makeThings(gateway.control, `own-${(made += 1)}`) : shared;
        return ask(route, who, idOf(example, things), { ...(body && { body: body(things) }) });
      },
      (reply, who) => {
        expect(reply.status, `${who}: ${reply.text.slice(0, 300)}`).toBe(status);
        if (status >= 400) expect(errorReply.safeParse(reply.body).success).toBe(true);
      },
    );
  });

  test.each(withBody)('%s refuses a body that is none of its own, by name', async (route, access) => {
    const example = examples[route]!;
    for (const [text, code] of [
      ['{"surprise": 1}', 'REQUEST_INVALID'],
      ['[]', 'REQUEST_INVALID'],
      ['"text"', 'REQUEST_INVALID'],
      ['{"name": ', 'REQUEST_NOT_JSON'],
      ['{"__proto__": {"role": "admin"}}', 'REQUEST_NOT_JSON'],
    ] as const) {
      await everybody(
        access,
        text,
        (who) => ask(route, who, idOf(example, shared), { body: text, headers: json }),
        (reply) => {
          expectRefused(reply, [400, code], text);
        },
      );
    }
  });

  test.each(withId)('%s does not know an id that nothing has', async (route, access) => {
    const { body, of } = examples[route]!;
    for (const id of [unknownId(of), 'no-such-thing', "' OR 1=1 --", '..%2f..%2fetc']) {
      await everybody(
        access,
        id,
        (who) =>
          ask(route, who, id.includes('%') ? id : encodeURIComponent(id), { ...(body && { body: body(shared) }) }),
        (reply) => {
          expectRefused(reply, [404, 'NOT_FOUND'], id);
        },
      );
    }
  });

  test.each(writing)('%s takes no body that is larger than it may be', async (route, access) => {
    const example = examples[route]!;
    const { limit = MIB } = example;
    const large = JSON.stringify({ name: 'x'.repeat(limit) });
    await everybody(
      access,
      'too large',
      (who) => ask(route, who, idOf(example, shared), { body: large, headers: json }),
      (reply) => {
        expectRefused(reply, [413, 'REQUEST_TOO_LARGE'], 'too large');
      },
    );
  });

  test.each(writing)('%s takes JSON and nothing else', async (route, access) => {
    const example = examples[route]!;
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/xml',
    ]) {
      await everybody(
        access,
        type,
        (who) => ask(route, who, idOf(example, shared), { body: '{}', headers: { 'content-type': type } }),
        (reply) => {
          expectRefused(reply, [400, 'REQUEST_NOT_JSON'], type);
        },
      );
    }
  });

  test.each(routes)('%s is there for its own methods only', async (route) => {
    const example = examples[route]!;
    const { url } = split(route);
    const others = (['GET', 'POST', 'PATCH', 'DELETE', 'PUT'] as const).filter(
      (method) => routeAccess[`${method} ${url}`] === undefined && !isAnother(method, url),
    );
    for (const method of others) {
      for (const who of ['nobody', 'admin'] satisfies ('nobody' | Role)[]) {
        const reply = await gateway.ask<Failure>(pathOf(route, idOf(example, shared) || 'x'), { method, as: who });
        expectRefused(reply, [405, 'METHOD_NOT_ALLOWED'], `${who}: ${method}`);
        const own = (['DELETE', 'GET', 'HEAD', 'PATCH', 'POST'] as const).filter(
          (each) => routeAccess[`${each === 'HEAD' ? 'GET' : each} ${url}`] !== undefined,
        );
        // One path may be that of two routes, "check" a pair's name.
        expect(String(reply.headers['allow']).split(', ')).toEqual(expect.arrayContaining(own));
      }
    }
  });
});

/** A path that another route takes for its own: "check" could be a pair's name. */
function isAnother(method: string, url: string): boolean {
  const others: Readonly<Record<string, string>> = {
    '/api/sync-pairs/check': '/api/sync-pairs/:id',
    '/api/sync-pairs/preview': '/api/sync-pairs/:id',
    '/api/dead-letters/replay': '/api/dead-letters/:id',
    '/api/dead-letters/discard': '/api/dead-letters/:id',
  };
  const other = others[url];
  return other !== undefined && routeAccess[`${method} ${other}`] !== undefined;
}
