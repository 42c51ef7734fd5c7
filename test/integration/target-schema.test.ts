import { describe, expect, test } from 'vitest';
import { crashPoints, type CrashPoint } from '#services/kernel/crash-points.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { Clerk, expectSame, rich } from './whole-databases.ts';

/** See `whole-databases.test.ts` for what comes without a kill. */
describe('a database and all its schema', () => {
  test.each<CrashPoint>([
    crashPoints.SUPERVISOR_TABLES_CREATED_NOT_LOADED,
    crashPoints.SUPERVISOR_LOADED_NOT_COMPLETED,
    crashPoints.SUPERVISOR_COMPLETED_NOT_NOTED,
  ])('killed at %s, it ends the same', async (point) => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(rich);
    const clerk = new Clerk(source);
    await clerk.work(20);
    const installation = await freshInstallation();
    const pair = await installation.addPair({ source, target });
    const killed = installation.startProcess({ TERRAFUSION_CRASH_POINT: point });
    await killed.exited;
    await clerk.work(10);
    await using service = installation.start();
    await pair.until('streaming');
    await clerk.work(10);
    await pair.fence();
    await expectSame(source, target);
    expect(await installation.control.schemas.find(pair.id)).toMatchObject({ complete: true, skipped: [] });
    await service.stop();
  });
});
