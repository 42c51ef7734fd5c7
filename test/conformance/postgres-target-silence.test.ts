import { describe, expect, test } from 'vitest';
import { openPipeline } from '#connectors/postgres/target/session.ts';
import { Patience } from '#connectors/postgres/silence.ts';
import { eventually } from '#test/support/eventually.ts';
import { openProxy, type Proxy } from '#test/support/proxy.ts';
import { freshDatabase } from '#test/support/servers.ts';

/** Stuck detection at a real server, through a way that can be made half-open. (CHECKLIST 4) */
async function session(purpose: string) {
  const database = await freshDatabase('target');
  const { hostname, port } = new URL(database.url);
  const proxy: Proxy = await openProxy(hostname, Number(port));
  const context = { signal: new AbortController().signal };
  const options = { patience: new Patience(600) };
  const open = await openPipeline({ url: proxy.through(database.url) }, context, options, purpose, () =>
    Promise.resolve(undefined),
  );
  return { database, proxy, pipeline: open.pipeline, open };
}

describe('a target session that waits for an answer', () => {
  test('that was swallowed on its way: the session is given up, and says so', async () => {
    const { proxy, pipeline, open } = await session('swallowed');
    const answer = pipeline.query('SELECT pg_sleep(0.1)');
    proxy.swallow();
    // The server must be there to be asked.
    proxy.open();
    await expect(answer).rejects.toMatchObject({
      code: 'TARGET_UNREACHABLE',
      message: expect.stringMatching(/silent for .*leads nowhere/) as unknown,
    });
    await open[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  test('whose server side was ended meanwhile', async () => {
    const { database, proxy, pipeline, open } = await session('ended');
    const answer = pipeline.query('SELECT pg_sleep(60)');
    const ended = expect(answer).rejects.toMatchObject({
      code: 'TARGET_UNREACHABLE',
      message: expect.stringContaining('has ended the session') as unknown,
    });
    await eventually(() =>
      database.value<boolean>(
        `SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT pg_sleep(60)'`,
      ),
    );
    proxy.swallow();
    proxy.open();
    await database.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT pg_sleep(60)'`,
    );
    await ended;
    await open[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  test('of a server that works, or waits for a lock, is waited for', async () => {
    const { database, proxy, pipeline, open } = await session('working');
    await expect(pipeline.query('SELECT pg_sleep(3)')).resolves.toHaveLength(1);
    await database.query('CREATE TABLE held (id int)');
    const holder = await database.connect();
    await holder.query('BEGIN; LOCK TABLE held');
    const rows = pipeline.query('SELECT count(*) FROM public.held');
    await database.query('SELECT pg_sleep(3)');
    await holder.query('ROLLBACK');
    await expect(rows).resolves.toEqual([['0']]);
    await open[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});
