import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { PLAIN_COOKIE, SECURE_COOKIE } from './access/browser.ts';
import type { App, GatewayDeps } from './gateway.ts';
import { completeDocument } from './openapi-errors.ts';
import { idempotencyHeader, tags } from './schema.ts';

/** The API reference: to be registered before the routes it describes. */
export async function describeApi(app: App, { options }: GatewayDeps): Promise<void> {
  // Before the reference sees the routes: every POST may be sent again.
  app.addHook('onRoute', ({ method, schema }) => {
    if (method === 'POST' && schema && schema.headers === undefined) schema.headers = idempotencyHeader;
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'TerraFusion Sync',
        version: options.version,
        description:
          'Keeps county systems in step. Every error has the form `{"error": {"code", "message", "fix", "details", "request_id"}}`; `fix` says what to do.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [...tags],
      components: {
        securitySchemes: {
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'tfk_<id>_<secret>' },
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'The same key as a bearer token, or a token of the identity provider that JWT_ISSUER names.',
          },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: options.tls ? SECURE_COOKIE : PLAIN_COOKIE,
            description:
              'Of POST /api/session, for browsers. Everything but GET and HEAD then needs the csrf_token of its reply in the header X-CSRF-Token.',
          },
        },
      },
      security: [{ apiKey: [] }, { bearer: [] }, { session: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) =>
      'openapiObject' in document ? completeDocument(document.openapiObject) : document.swaggerObject,
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // Everything comes from here: counties have no way out. The one style that its library makes is named by what is in it.
    staticCSP:
      "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    uiConfig: { docExpansion: 'list', deepLinking: true, validatorUrl: null, persistAuthorization: false },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
