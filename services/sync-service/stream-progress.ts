import { formatPosition } from '#schemas/position.ts';
import type { Applied, Division } from '#connectors/contract/target.ts';
import { asTerraFusionError, type TerraFusionError } from '#schemas/errors.ts';
import { laidOverUntil } from '#schemas/loaded.ts';
import { changesTopic } from '#schemas/topics.ts';
import type { ReadyBlock } from '#services/writer/writer.ts';
import { AppliedSince } from './applied-since.ts';
import { keptFrom } from './division.ts';
import { contextOf, type WorkEnvironment } from './environment.ts';
import type { CommittedBatch } from './pipeline-metrics.ts';
import type { SupervisedPair } from './ports.ts';
import type { WatchedStage } from './stuck.ts';
import { WaitingBlocks } from './waiting-blocks.ts';
import { isToSay, type Word } from './word.ts';

/** What a stream has reached; kept here per batch, told to the control database once a second. */
export class StreamProgress implements WatchedStage {
  readonly name = 'writer';
  readonly subject: string;
  readonly #pair: SupervisedPair;
  readonly #topic: string;
  readonly #env: WorkEnvironment;
  #applied: Applied | undefined;
  #division: Division | undefined;
  readonly #since = new AppliedSince();
  readonly #waiting = new WaitingBlocks();
  /**
   * Until the target has taken something. (Promise 9) That a session has begun does not say that it will: a lock that is held there for an hour lets every
   * attempt begin, and ends it half a minute later.
   */
  #trouble: TerraFusionError | undefined;
  /** Since the trouble. */
  #hasBegunAnew = false;
  #state: 'catching_up' | 'streaming' = 'catching_up';
  #told: Word | undefined;
  readonly #consistent: () => Promise<void>;
  #tries = 0;
  #reads = 0;
  #parts = 0;
  #commits = 0;

  /** @param consistent called before the pair is told to stream: all that was loaded at several moments is one moment's now */
  constructor(pair: SupervisedPair, topic: string, env: WorkEnvironment, consistent: () => Promise<void>) {
    this.#pair = pair;
    this.#topic = topic;
    this.#env = env;
    this.#consistent = consistent;
    this.subject = pair.name;
  }

  opened(held: Applied): void {
    this.#applied = held;
    this.#division = held.division;
    this.#hasBegunAnew = true;
    this.#tries += 1;
    this.#waiting.opened(held);
  }

  /** The blocks, looked at on their way to the writer. */
  async *reading(blocks: AsyncIterable<ReadyBlock>): AsyncGenerator<ReadyBlock, void, undefined> {
    for await (const block of blocks) {
      this.#waiting.read(block);
      this.#reads += 1;
      yield block;
    }
  }

  committed(applied: Applied, batch: CommittedBatch): void {
    const { metrics, clock } = this.#env;
    this.#applied = applied;
    this.#trouble = undefined;
    this.#commits += 1;
    this.#since.add(batch.outcome);
    this.#waiting.applied(applied);
    metrics.committed(this.#pair.id, batch, clock.now());
  }

  /** The target has taken a part of a transaction. */
  taken(): void {
    this.#trouble = undefined;
    this.#parts += 1;
  }

  /** @returns whether it had gone well until now */
  interrupted(error: TerraFusionError): boolean {
    const isNew = this.#trouble === undefined;
    this.#trouble = error;
    this.#hasBegunAnew = false;
    this.#tries += 1;
    return isNew;
  }

  /** It is stuck, and is left so; undefined: it goes on. */
  left(error: TerraFusionError | undefined): void {
    this.#trouble = error;
  }

  async work(): Promise<string | undefined> {
    const applied = this.#applied;
    if (!applied) return 'the target is to be asked what it holds';
    const { next } = await this.#env.bus.range(this.#topic);
    const end = applied.topic === this.#topic ? next : 0n;
    const blocks = this.#waiting.applicable(end);
    return blocks === 0 ? undefined : `${blocks} blocks wait for the target`;
  }

  signs(): string {
    return [this.#tries, this.#reads, this.#parts, this.#commits].join(' ');
  }

  done(): string {
    return String(this.#commits);
  }

  async isAtWork(signal: AbortSignal): Promise<boolean> {
    const { sourceId, targetId, id } = this.#pair;
    const context = contextOf(this.#env, this.subject, signal);
    const target = await this.#env.control.openTarget(targetId);
    if (await target.isAtWork?.('writer', id, context)) return true;
    const source = await this.#env.control.openSource(sourceId);
    return (await source.isAtWork?.('writer', context)) ?? false;
  }

  async tell(): Promise<void> {
    const applied = this.#applied;
    const { control, bus, clock, metrics, readers } = this.#env;
    if (!applied) return;
    const { next } = await bus.range(this.#topic);
    const { seconds: lagSeconds, blocks } = this.#waiting.look(applied.topic === this.#topic ? next : 0n, clock.now());
    const sourceLsn = readers.get(this.#pair.sourceId)?.sourceLsn;
    // Nothing is left that it could fail at.
    if (blocks === 0 && this.#hasBegunAnew) this.#trouble = undefined;
    // Without a reader in this process nobody here knows where the source's end is.
    const behind = sourceLsn === undefined ? undefined : Math.max(0, Number(sourceLsn - applied.position.commitLsn));
    const lagBytes = blocks > 0 ? behind : 0;
    metrics.lag(this.#pair.id, lagSeconds, lagBytes, blocks);
    const changes = this.#since.get();
    await control.recordProgress(this.#pair.id, {
      position: formatPosition(applied.position),
      commitLsn: applied.position.commitLsn,
      nextOffset: this.#direct ? applied.nextOffset : undefined,
      lagBytes,
      lagSeconds,
      changes,
    });
    this.#since.told(changes);
    // The ready topic is ours alone: what the target holds may go.
    if (!this.#direct && applied.topic === this.#topic)
      await bus.truncateBefore(this.#topic, keptFrom(applied, this.#division));
    await this.#tellState(applied);
  }

  /** Whether the source's topic is read directly, without a ready topic in between. */
  get #direct(): boolean {
    return this.#topic === changesTopic(this.#pair.sourceId);
  }

  async #tellState({ position, overlayUntil }: Applied): Promise<void> {
    const { control, log } = this.#env;
    const { loaded } = this.#pair.load;
    // Once it has passed the end of the last snapshot the target is consistent, and stays so.
    if (this.#state === 'catching_up' && position.commitLsn >= (loaded ? laidOverUntil(loaded) : overlayUntil)) {
      try {
        await this.#consistent();
        this.#state = 'streaming';
        log.info({ pair: this.#pair.name }, 'The pair is streaming.');
      } catch (thrown) {
        // Told with the state, and tried again the next time that it is.
        this.#trouble = asTerraFusionError(thrown);
      }
    }
    const word: Word = { state: this.#state, code: this.#trouble?.code };
    if (!isToSay(word, this.#told, this.#direct ? undefined : await control.stateOf(this.#pair.id))) return;
    await control.recordState(this.#pair, this.#state, this.#trouble);
    if (this.#state === 'streaming') await control.noteStreaming(this.#pair.id);
    this.#told = word;
  }
}
