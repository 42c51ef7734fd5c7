import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashTable, quotedName } from '#test/support/rows.ts';
import { sharedPath } from '#test/support/shared-data.ts';
import { untilReading, type Ends, type Side, type Started } from './side.ts';

/** Within the project, so that it finds its packages. */
const artefacts = fileURLToPath(new URL('../../artefacts', import.meta.url));

/** What a team would write in a day with pg-logical-replication: `shared/peers/npm-baseline`. Starts with empty tables only. */
export class NpmBaselineSide implements Side {
  readonly name = 'npm baseline';
  #ends: Ends | undefined;
  #child: ChildProcess | undefined;

  async prepare(ends: Ends): Promise<void> {
    this.#ends = ends;
    const { source, tables } = ends;
    for (const table of tables) {
      if ((await hashTable(source, table)).rows > 0) {
        throw new Error('The npm baseline has no first load: it runs B1, B2, X1, L1, R1 and R2');
      }
    }
    await source.query(`CREATE PUBLICATION ${this.slots} FOR TABLE ${tables.map(quotedName).join(', ')}`);
    await source.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [this.slots]);
  }

  get slots(): string {
    return `npm_${this.#ends!.target.name}`;
  }

  async start(): Promise<Started> {
    const script = sharedPath('peers', 'npm-baseline', 'cdc.ts');
    if (script === undefined) throw new Error('shared/peers/npm-baseline is not beside the project');
    mkdirSync(artefacts, { recursive: true });
    const copy = join(artefacts, 'npm-baseline.ts');
    copyFileSync(script, copy);
    const { source, target } = this.#ends!;
    this.#child = spawn(process.execPath, [copy], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        SOURCE_URL: source.url,
        TARGET_URL: target.url,
        SLOT: this.slots,
        PUBLICATION: this.slots,
        // Without it microseconds are lost, and the run is void.
        TEXT_TIMESTAMPS: '1',
      },
    });
    return { at: await untilReading(this.#ends!, this.slots), pid: this.#child.pid };
  }

  pause(): Promise<void> {
    return this.stop();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}
