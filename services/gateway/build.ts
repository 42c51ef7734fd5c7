import { buildApp } from './app.ts';
import type { App, GatewayDeps } from './gateway.ts';
import { describeApi } from './openapi.ts';
import { alertRoutes } from './routes/alerts.ts';
import { auditRoutes } from './routes/audit.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { manyDeadLetterRoutes } from './routes/many-dead-letters.ts';
import { eventRoutes } from './routes/events.ts';
import { jobRecordRoutes } from './routes/job-records.ts';
import { jobRoutes } from './routes/jobs.ts';
import { keyRoutes } from './routes/keys.ts';
import { metricRoutes } from './routes/metrics.ts';
import { operationRoutes } from './routes/operations.ts';
import { pageRoutes } from './routes/pages.ts';
import { pairCommandRoutes } from './routes/pair-commands.ts';
import { schemaChangeRoutes } from './routes/schema-changes.ts';
import { pairSchemaRoutes } from './routes/pair-schema.ts';
import { settingsRoutes } from './routes/settings.ts';
import { openSessionRoutes } from './routes/open-sessions.ts';
import { selfHealingRoutes } from './routes/self-healing.ts';
import { sessionRoutes } from './routes/session.ts';
import { statusRoutes } from './routes/status.ts';
import { pairPreviewRoutes } from './routes/pair-preview.ts';
import { syncPairRoutes } from './routes/sync-pairs.ts';
import { systemSlotRoutes } from './routes/system-slots.ts';
import { systemTableRoutes } from './routes/system-tables.ts';
import { systemRoutes } from './routes/systems.ts';

/** The whole gateway, ready to listen (or to be asked by `inject` in tests). */
export async function buildGateway(deps: GatewayDeps): Promise<App> {
  const app = await buildApp(deps);
  await describeApi(app, deps);
  await pageRoutes(app, deps);
  for (const routes of [
    statusRoutes,
    metricRoutes,
    eventRoutes,
    systemRoutes,
    systemSlotRoutes,
    systemTableRoutes,
    syncPairRoutes,
    pairPreviewRoutes,
    pairCommandRoutes,
    schemaChangeRoutes,
    pairSchemaRoutes,
    operationRoutes,
    jobRoutes,
    jobRecordRoutes,
    deadLetterRoutes,
    manyDeadLetterRoutes,
    alertRoutes,
    selfHealingRoutes,
    auditRoutes,
    keyRoutes,
    sessionRoutes,
    openSessionRoutes,
    settingsRoutes,
  ]) {
    routes(app, deps);
  }
  await app.ready();
  return app;
}
