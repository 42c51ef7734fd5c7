import type { FastifyReply, FastifyRequest } from 'fastify';
import { TerraFusionError } from '#schemas/errors.ts';
import { bundleDashboard } from '../bundle.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { sendStatic } from '../static-files.ts';

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
  const { page, files } = await bundleDashboard(options.dashboardFolder);
  for (const url of pages) {
    app.get(url, { schema: { hide: true } }, (request, reply) => sendStatic(page, request, reply));
  }
  app.get<{ Params: { '*': string } }>(
    '/dashboard/*',
    { schema: { hide: true } },
    (request: FastifyRequest<{ Params: { '*': string } }>, reply: FastifyReply) => {
      const path = request.params['*'];
      const file = files.get(path);
      // The page finds its own way: names of pairs and systems hold no dot, names of files do.
      if (!file && path.includes('.'))
        throw new TerraFusionError('NOT_FOUND', `There is no file "${path}" of the dashboard`);
      return sendStatic(file ?? page, request, reply);
    },
  );
}
