import { startNative, type NativeReplication } from '#test/support/native-replication.ts';
import { quotedName } from '#test/support/rows.ts';
import { groupsOf, untilCopying, untilReading, type Ends, type Side, type Started } from './side.ts';

/** PostgreSQL's own logical replication, `binary = true`, `streaming = off`: a subscription a pair. Its work is within the two servers. */
export class NativeSide implements Side {
  readonly name: string;
  #ends: Ends | undefined;
  #native: NativeReplication[] = [];

  constructor(name = 'native') {
    this.name = name;
  }

  get slots(): string {
    return `native_${this.#ends!.target.name}%`;
  }

  async prepare(ends: Ends): Promise<void> {
    await this.#subscribe(ends);
    for (const native of this.#native) await native.caughtUp(600_000);
    await this.pause();
  }

  async #subscribe(ends: Ends): Promise<void> {
    const { source, target } = ends;
    this.#ends = ends;
    for (const [number, tables] of groupsOf(ends).entries()) {
      const name = `native_${target.name}_${number}`;
      this.#native.push(await startNative({ source, target, name, tables: tables.map(quotedName), binary: true }));
    }
  }

  async start(): Promise<Started> {
    const reading = untilReading(this.#ends!, this.slots);
    for (const native of this.#native) await native.enable();
    return { at: await reading, pid: undefined };
  }

  async pause(): Promise<void> {
    for (const native of this.#native) await native.disable();
  }

  async load(ends: Ends): Promise<Started> {
    const copying = untilCopying(ends);
    await this.#subscribe(ends);
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
    for (const native of this.#native.splice(0)) {
      await native.disable();
      await native.drop();
    }
  }
}
