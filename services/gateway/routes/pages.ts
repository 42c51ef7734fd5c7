import type { FastifyReply, FastifyRequest } from 'fastify';
import { TerraFusionError } from '#schemas/errors.ts';
import { bundleDashboard } from '../bundle.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { INDEX, readRunbooks } from '../runbooks/runbooks.ts';
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
  await runbookPages(app, options.runbooksFolder);
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

/** What to do about an alert, without a key and without a way to anywhere else. */
async function runbookPages(app: App, folder: string): Promise<void> {
  const { pages: runbooks, style } = await readRunbooks(folder);
  app.get('/runbooks', { schema: { hide: true } }, (request, reply) =>
    sendStatic(runbooks.get(INDEX)!, request, reply),
  );
  app.get<{ Params: { page: string } }>(
    '/runbooks/:page',
    { schema: { hide: true } },
    (request: FastifyRequest<{ Params: { page: string } }>, reply: FastifyReply) => {
      const { page: name } = request.params;
      const file = name === 'style.css' ? style : runbooks.get(name);
      if (!file) throw new TerraFusionError('NOT_FOUND', `There is no runbook "${name}"`);
      return sendStatic(file, request, reply);
    },
  );
}
