import { startNative, type NativeReplication } from '#test/support/native-replication.ts';
import { quotedName } from '#test/support/rows.ts';
import { untilCopying, untilReading, type Ends, type Side, type Started } from './side.ts';

/** PostgreSQL's own logical replication, `binary = true`, `streaming = off`. Its work is within the two servers. */
export class NativeSide implements Side {
  readonly name: string;
  #ends: Ends | undefined;
  #native: NativeReplication | undefined;

  constructor(name = 'native') {
    this.name = name;
  }

  async prepare(ends: Ends): Promise<void> {
    const { source, target, tables } = ends;
    this.#ends = ends;
    this.#native = await startNative({ source, target, tables: tables.map(quotedName), binary: true });
    await this.#native.caughtUp(600_000);
    await this.#native.disable();
  }

  async start(): Promise<Started> {
    const reading = untilReading(this.#ends!, this.#native!.name);
    await this.#native!.enable();
    return { at: await reading, pid: undefined };
  }

  async load(ends: Ends): Promise<Started> {
    const { source, target, tables } = ends;
    this.#ends = ends;
    const copying = untilCopying(ends);
    this.#native = await startNative({ source, target, tables: tables.map(quotedName), binary: true });
    return { at: await copying, pid: undefined };
  }

  /** Copied and committed; catching up with what came meanwhile is no part of it. */
  loaded(): Promise<boolean> {
    return this.#ends!.target.value<boolean>(
      "SELECT count(*) > 0 AND bool_and(srsubstate IN ('f', 's', 'r')) FROM pg_subscription_rel",
    );
  }

  ready(): Promise<boolean> {
    return this.#ends!.target.value<boolean>("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel");
  }

  async stop(): Promise<void> {
    const native = this.#native;
    this.#native = undefined;
    await native?.disable();
    await native?.drop();
  }
}
