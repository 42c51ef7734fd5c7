import type { ConnectorContext } from '#connectors/contract/context.ts';
import type {
  Applied,
  BatchOutcome,
  SchemaPlan,
  Target,
  TargetBatch,
  TargetWriter,
} from '#connectors/contract/target.ts';
import { BlockReader, BlockWriter, Op, readRow } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { before, comparePositions, endOf, formatPosition, LAST_ORDINAL, type Position } from '#schemas/position.ts';
import type { ReadyBlock } from '#services/writer/writer.ts';

const parcel = {
  relationId: 1,
  schema: 'public',
  name: 'parcel',
  identity: 'default' as const,
  tolerant: false,
  columns: [
    {
      name: 'id',
      typeOid: 23,
      typeSchema: 'pg_catalog',
      typeName: 'int4',
      typmod: -1,
      key: true,
      format: 'text' as const,
    },
  ],
};

/** A source's history in blocks. A part that ends with "…" leaves its transaction open. */
export class Blocks {
  position: Position = before(1, 100n);
  readonly #blocks: ReadyBlock[] = [];
  #lsn = 100n;
  #ordinal = 0;
  #open = false;

  get all(): readonly ReadyBlock[] {
    return this.#blocks;
  }

  /** One block; each argument is a transaction's rows, or a part of one. */
  add(...parts: readonly (readonly string[])[]): ReadyBlock {
    const writer = new BlockWriter(1024);
    const after = this.position;
    writer.addTable(parcel);
    for (const part of parts) {
      const goesOn = part.at(-1) === '…';
      if (!this.#open) {
        this.#lsn += 10n;
        this.#ordinal = 0;
      }
      writer.beginTransaction({
        xid: Number(this.#lsn),
        commitLsn: this.#lsn,
        commitTime: 1_000_000,
        origin: undefined,
      });
      for (const row of goesOn ? part.slice(0, -1) : part) {
        writer.beginChange(0, Op.insert, this.#ordinal++);
        writer.before(0);
        writer.after(true);
        writer.beginRow(1);
        writer.textCellOf(row);
        writer.endRow();
      }
      writer.endTransaction(!goesOn, this.#ordinal - 1);
      this.#open = goesOn;
      this.position = goesOn
        ? { generation: 1, commitLsn: this.#lsn, ordinal: this.#ordinal - 1 }
        : endOf(1, this.#lsn);
    }
    const block = { bytes: writer.finish('s', 1, after), nextOffset: BigInt(this.#blocks.length + 1) };
    this.#blocks.push(block);
    return block;
  }
}

export interface Seen {
  readonly rows: readonly string[];
  readonly mode: TargetBatch['mode'];
  readonly committed: boolean;
}

/** A target in memory, with the promises of the contract: rows and position together, or not at all. */
export class FakeTarget {
  held: Applied | undefined = {
    position: before(1, 100n),
    topic: 'changes.s',
    nextOffset: 0n,
    overlayUntil: 0n,
  };
  /** What is committed. */
  readonly rows: string[] = [];
  /** Every call of `apply` that was answered. */
  readonly seen: Seen[] = [];
  opened = 0;
  /** Calls that wait, when `hold` is set: `release` answers the oldest. */
  hold = false;
  readonly #held: (() => void)[] = [];
  /** Thrown before a batch is applied. */
  failure: ((rows: readonly string[], mode: TargetBatch['mode']) => TerraFusionError | undefined) | undefined;
  /** Rows that are dead letters in ordered mode. */
  refused: readonly string[] = [];

  get waiting(): number {
    return this.#held.length;
  }

  release(): void {
    this.#held.shift()?.();
  }

  get target(): Target {
    const openWriter = (_pair: string, { signal }: ConnectorContext): Promise<TargetWriter> => {
      this.opened++;
      return Promise.resolve(new FakeWriter(this, signal));
    };
    return { openWriter } as Partial<Target> as Target;
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (!this.hold) return;
    await new Promise<void>((resolve, reject) => {
      this.#held.push(resolve);
      signal.addEventListener('abort', () => {
        reject(new TerraFusionError('TARGET_UNREACHABLE', 'cut'));
      });
    });
  }
}

class FakeWriter implements TargetWriter {
  readonly held: Applied | undefined;
  readonly tables = [];
  readonly #fake: FakeTarget;
  readonly #signal: AbortSignal;
  #position: Position | undefined;
  #pending: string[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #failed: TerraFusionError | undefined;

  constructor(fake: FakeTarget, signal: AbortSignal) {
    this.#fake = fake;
    this.#signal = signal;
    this.held = fake.held;
    this.#position = fake.held?.position;
  }

  plan(): Promise<SchemaPlan> {
    return Promise.resolve({ steps: [], held: [], forget: [] });
  }

  apply(batch: TargetBatch, reject: (letters: readonly DeadLetter[]) => Promise<void>): Promise<BatchOutcome> {
    const result = this.#turn.then(() => this.#apply(batch, reject));
    this.#turn = result.catch((error: unknown) => {
      this.#failed ??= error as TerraFusionError;
    });
    return result;
  }

  async #apply(batch: TargetBatch, reject: (letters: readonly DeadLetter[]) => Promise<void>): Promise<BatchOutcome> {
    if (this.#failed) throw new TerraFusionError('INTERNAL', 'a call after a failure');
    await this.#fake.wait(this.#signal);
    const rows = batch.blocks.flatMap(rowsOf);
    const failure = this.#fake.failure?.(rows, batch.mode);
    if (failure) throw failure;
    const refused = batch.mode === 'set' ? [] : rows.filter((row) => this.#fake.refused.includes(row));
    if (refused.length > 0) await reject(refused.map((row) => ({ position: row }) as DeadLetter));
    this.#pending.push(...rows.filter((row) => !refused.includes(row)));
    const committed = batch.last.ordinal === LAST_ORDINAL;
    this.#fake.seen.push({ rows, mode: batch.mode, committed });
    if (committed) {
      const held = this.#fake.held?.position;
      if (held && this.#position && comparePositions(held, this.#position) !== 0)
        throw new TerraFusionError('TARGET_FENCED', formatPosition(held));
      this.#fake.rows.push(...this.#pending);
      this.#pending = [];
      this.#position = batch.last;
      this.#fake.held = { position: batch.last, topic: batch.topic, nextOffset: batch.nextOffset, overlayUntil: 0n };
    }
    const inserted = rows.length - refused.length;
    const tables = [{ table: { schema: 'public', name: 'parcel' }, changes: inserted, lastCommitTime: 1_000_000 }];
    return { committed, inserted, updated: 0, deleted: 0, rejected: refused.length, tables };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function rowsOf(bytes: Buffer): string[] {
  const reader = BlockReader.open(bytes);
  const rows: string[] = [];
  while (reader.nextTransaction()) {
    while (reader.nextChange()) rows.push(readRow(reader.bytes, reader.afterStart)[0]!);
  }
  return rows;
}
