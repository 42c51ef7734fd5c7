import type { FastifyReply, FastifyRequest } from 'fastify';
import { TerraFusionError } from '#schemas/errors.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { readStaticFiles, sendStatic } from '../static-files.ts';

/** The dashboard, and the addresses under which people have it in their bookmarks. Its data needs a key, the page does not. */
const pages = [
  '/dashboard',
  '/sync/dashboard',
  '/sync/terra_fusion',
  '/sync/terra_fusion/dashboard',
  '/sync/jobs',
  '/sync/job/:id',
  '/sync/terra_fusion/job/:id',
  '/sync/conflicts',
  '/sync/terra_fusion/conflicts/:id',
];

export async function pageRoutes(app: App, { options }: GatewayDeps): Promise<void> {
  const files = await readStaticFiles(options.dashboardFolder);
  const send = (name: string, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const file = files.get(name);
    if (!file) throw new TerraFusionError('NOT_FOUND', `There is no file "${name}" of the dashboard`);
    return sendStatic(file, request, reply);
  };
  for (const url of pages) {
    app.get(url, { schema: { hide: true } }, (request, reply) => send('index.html', request, reply));
  }
  app.get<{ Params: { '*': string } }>('/dashboard/*', { schema: { hide: true } }, (request, reply) =>
    send(request.params['*'], request, reply),
  );
}
