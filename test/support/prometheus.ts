import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';

const run = promisify(execFile);

/**
 * Why tests with Prometheus cannot run here, or undefined when they can: for `describe.skipIf`, with the reason in the suite's name.
 * With TERRAFUSION_REQUIRE_PROMETHEUS=1, as in CI, it throws instead.
 */
export async function whyNoPrometheus(): Promise<string | undefined> {
  for (const program of ['prometheus', 'promtool']) {
    try {
      await run(program, ['--version']);
    } catch {
      const reason = `there is no ${program} (Debian: apt-get install prometheus)`;
      if (process.env.TERRAFUSION_REQUIRE_PROMETHEUS === '1')
        throw new Error(`TERRAFUSION_REQUIRE_PROMETHEUS is set, but: ${reason}`);
      return reason;
    }
  }
  return undefined;
}

/** What promtool says; throws with its words when it is not content. */
export async function promtool(...args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await run('promtool', args);
    return stdout + stderr;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`promtool ${args.join(' ')}: ${stdout}${stderr}`, { cause: error });
  }
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A Prometheus of a test's own, in a folder and on a port of its own. */
export class Prometheus implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  /** @param config as YAML or JSON: which is YAML */
  static async start(config: object): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'terrafusion-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    await writeFile(file, JSON.stringify(config));
    const port = await freePort();
    const child = spawn(
      'prometheus',
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const started = new Prometheus(child, folder, `http://127.0.0.1:${port}`);
    await eventually(async () => (await fetch(`${started.#url}/-/ready`)).ok, { within: 60_000, what: 'Prometheus' });
    return started;
  }

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  /** What an expression gives at this moment. @throws when it is none */
  async query(expr: string): Promise<Sample[]> {
    const answer = await this.#ask<{ result: Sample[] | readonly [number, string]; resultType: string }>(
      `query?query=${encodeURIComponent(expr)}`,
    );
    return answer.resultType === 'scalar' ? [] : (answer.result as Sample[]);
  }

  /** Alerts by name, and whether their rules could be evaluated. */
  async rules(): Promise<readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]> {
    const { groups } = await this.#ask<{ groups: { rules: { name: string; health: string; lastError?: string }[] }[] }>(
      'rules',
    );
    return groups.flatMap(({ rules }) => rules);
  }

  async #ask<T>(path: string): Promise<T> {
    const reply = await fetch(`${this.#url}/api/v1/${path}`);
    const body = (await reply.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error ?? reply.status}`);
    return body.data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
