import type { FastifyRequest } from 'fastify';
import { TerraFusionError } from '#schemas/errors.ts';
import {
  conflictParams,
  conflictsPage,
  jobEventsPage,
  jobEventsQuery,
  jobParams,
  jobReport,
  reportQuery,
  resolveBody,
  resolvedReply,
} from '#schemas/http/jobs.ts';
import { pageQuery } from '#schemas/http/common.ts';
import type { PageRequest } from '#services/control/pages.ts';
import { z } from 'zod';
import type { App, GatewayDeps } from '../gateway.ts';
import { reportCsv, reportHtml } from '../jobs/job-report.ts';
import { jobEvent } from '../jobs/job-views.ts';
import { replies, words } from '../schema.ts';
import { pageView } from '../views.ts';
import { viewOf } from './jobs.ts';

/** What can be read of jobs afterwards. */
export function jobRecordRoutes(app: App, deps: GatewayDeps): void {
  const { clock } = deps;

  /** Entries of the audit trail about the job, and about its pair while the job ran. */
  const events = async ({ control }: FastifyRequest, jobId: string, page: PageRequest) => {
    const { id, pair, createdAt, finishedAt } = await control.operations.get(jobId);
    const until = finishedAt && new Date(finishedAt.getTime() + 1000).toISOString();
    return control.audit.list({ entityIds: [id, pair.id], since: createdAt.toISOString(), until }, page);
  };

  app.get(
    '/api/sync/audit/:job_id',
    {
      schema: {
        ...words('Jobs', 'Events of a job', 'Of the job, and of its pair while the job ran; latest first.'),
        params: jobParams,
        querystring: jobEventsQuery,
        response: replies({ 200: jobEventsPage }),
      },
    },
    async (request) => pageView(await events(request, request.params.job_id, request.query), jobEvent),
  );

  app.get(
    '/api/sync/audit/:job_id/report',
    {
      schema: {
        ...words(
          'Jobs',
          'Report of a job',
          'The job, its tables and its events; as JSON, as CSV (the events), or as a page for printing.',
        ),
        params: jobParams,
        querystring: reportQuery,
        response: replies({ 200: z.union([jobReport, z.string()]) }),
      },
    },
    async (request, reply) => {
      const {
        params,
        query: { format, limit },
      } = request;
      const { items } = await events(request, params.job_id, { limit });
      const report = {
        made_at: new Date(clock.now()).toISOString(),
        job: await viewOf(request.control, params.job_id),
        events: items.map(jobEvent),
      };
      if (format === 'json') return report;
      const name = `job-${report.job.job_id}.${format}`;
      void reply.header('content-disposition', `${format === 'csv' ? 'attachment' : 'inline'}; filename="${name}"`);
      return format === 'csv'
        ? reply.type('text/csv; charset=utf-8').send(reportCsv(report))
        : reply.type('text/html; charset=utf-8').send(reportHtml(report));
    },
  );

  app.get(
    '/api/sync/conflicts/:job_id',
    {
      schema: {
        ...words(
          'Jobs',
          'Conflicts of a job',
          'This version decides every conflict for the source and keeps none: the list is empty.',
        ),
        params: jobParams,
        querystring: z.strictObject(pageQuery),
        response: replies({ 200: conflictsPage }),
      },
    },
    async ({ control, params }) => {
      await control.operations.get(params.job_id);
      return { items: [], next_cursor: null };
    },
  );

  app.post(
    '/api/sync/conflicts/:job_id/:conflict_id/resolve',
    {
      schema: {
        ...words('Jobs', 'Resolve a conflict', 'There is none to resolve in this version.'),
        params: conflictParams,
        body: resolveBody,
        response: replies({ 200: resolvedReply }),
      },
    },
    async ({ control, params: { job_id, conflict_id } }): Promise<z.output<typeof resolvedReply>> => {
      await control.operations.get(job_id);
      throw new TerraFusionError('NOT_FOUND', `There is no conflict "${conflict_id}" of the job ${job_id}`);
    },
  );

  app.post(
    '/api/sync/conflicts/:job_id/resolve-all',
    {
      schema: {
        ...words('Jobs', 'Resolve all conflicts of a job', 'There is none to resolve in this version.'),
        params: jobParams,
        body: resolveBody,
        response: replies({ 200: resolvedReply }),
      },
    },
    async ({ control, params }) => {
      await control.operations.get(params.job_id);
      return { resolved: 0 };
    },
  );
}
