import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Applied, Division, Target } from '#connectors/contract/target.ts';
import { BlockReader } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import { laidOverUntil } from '#schemas/loaded.ts';
import { formatPosition, parsePosition } from '#schemas/position.ts';
import { changesTopic, readyTopic } from '#schemas/topics.ts';
import type { BusBlock } from '#services/kernel/bus/port.ts';
import { compilePair, type KnownTable, type PairOptions } from '#services/stream-processor/compile.ts';
import { processed } from '#services/stream-processor/inline.ts';
import { runStage } from '#services/stream-processor/stage.ts';
import { WriterStage, type ReadyBlock } from '#services/writer/writer.ts';
import { AppliedSince } from './applied-since.ts';
import { deleteReadyTopics } from './cleanup-unit.ts';
import { assertNotOvertaken, divideRequest, keptFrom, withoutApart } from './division.ts';
import type { WorkEnvironment } from './environment.ts';
import { laidOver } from './laid-over.ts';
import type { CommittedBatch } from './pipeline-metrics.ts';
import type { SupervisedPair } from './ports.ts';
import { completeTargetSchema } from './target-schema.ts';
import { schemaOptions } from './schema-policy.ts';
import { WaitingBlocks } from './waiting-blocks.ts';
import { isToSay, type Word } from './word.ts';

/** How often a stream's progress is told, in milliseconds. */
const TELL_MS = 1000;

/**
 * A pair's stream on the embedded bus: the source's topic through the chain to the target. Nothing is kept in between: to process a
 * block again costs less than to store it.
 */
export async function runStream(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<void> {
  const topic = changesTopic(pair.sourceId);
  const processor = laidOver(compilePair(pair.definition, await pairOptions(pair, env, signal)), pair.load.loaded);
  await runWriter(pair, topic, env, signal, (from, stop) => {
    assertNotOvertaken(from.division, pair);
    // Before the chain: what goes apart must not leave dead letters here.
    const blocks = withoutApart(env.bus.read(topic, from.nextOffset, stop), from.division, 'source');
    return processed(
      blocks,
      processor,
      (letters) => storeLetters(pair, 'process', letters, env),
      (given, made) => {
        env.metrics.processed(pair.id, given, made);
      },
    );
  });
}

/** What the chain must know of the target. */
async function pairOptions(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<PairOptions> {
  const target = await env.control.openTarget(pair.targetId);
  const known = pair.definition.tables === undefined ? [] : await knownTables(pair, target, env, signal);
  return { known, takesBinary: target.takesBinary === true };
}

/** The pair's tables by their oids, as the target holds them: a pair that names its tables must hear when one is called otherwise. */
async function knownTables(
  pair: SupervisedPair,
  target: Target,
  { clock, log }: WorkEnvironment,
  signal: AbortSignal,
): Promise<KnownTable[]> {
  const held = await target.heldTables(pair.id, { clock, log, signal });
  return held.map(({ source, target: name }) => ({
    relationId: source.relation_id,
    source: { schema: source.schema, name: source.name },
    target: name,
  }));
}

/** With Kafka: the source's topic through the chain into the pair's own topic. */
export async function runProcessor(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<void> {
  const { startOffset, startPosition, number } = pair.load;
  if (startOffset === undefined || startPosition === undefined) {
    throw new TerraFusionError('PAIR_HISTORY_LOST', `Where the stream of pair ${pair.name} begins is not known`);
  }
  await noteProcessor(pair, startPosition, env);
  const input = changesTopic(pair.sourceId);
  let next: bigint | undefined;
  let told: bigint | undefined;
  let works = false;
  let isWell = false;
  const telling = regularly(env, async () => {
    const reached = next;
    if (reached === undefined) return;
    const waiting = Math.max(0, Number((await env.bus.range(input)).next - reached));
    env.metrics.processorWaiting(pair.id, waiting);
    if (reached !== told) await env.control.recordNeeded(pair.id, reached);
    told = reached;
    // Promise 9: what interrupted it, as an earlier attempt has told, perhaps an earlier process's, is over.
    if (!isWell && (works || waiting === 0)) {
      await env.control.endTrouble(pair);
      isWell = true;
    }
  });
  try {
    await runStage({
      bus: env.bus,
      input,
      output: readyTopic(pair.id, number),
      processor: laidOver(compilePair(pair.definition, await pairOptions(pair, env, signal)), pair.load.loaded),
      start: { offset: startOffset, position: parsePosition(startPosition) },
      storeDeadLetters: (letters) => storeLetters(pair, 'process', letters, env),
      onResumed: (offset) => {
        next = told = offset;
      },
      onAppended: ({ nextOffset, counts }) => {
        next = nextOffset;
        works = true;
        for (const each of counts) env.metrics.counted(pair.id, each);
      },
      signal,
      group: `terrafusion.stream-processor.${pair.id}`,
    });
  } finally {
    await telling[Symbol.asyncDispose]();
    env.metrics.processorWaiting(pair.id, undefined);
  }
}

/**
 * Notes from where on the ready topic is written by this version of the definition. It holds the changes of all the pair's tables, whatever
 * goes apart at the target: which those are is known there only, and later.
 */
async function noteProcessor(
  pair: SupervisedPair,
  startPosition: string,
  { bus, control }: WorkEnvironment,
): Promise<void> {
  const output = readyTopic(pair.id, pair.load.number);
  await bus.createTopic(output);
  const tail = await bus.tail(output);
  const position = tail ? formatPosition(BlockReader.summary(tail.bytes).last) : startPosition;
  await control.recordProcessor(pair.id, pair.definition.version, position);
}

/** Does `work` about once a second until disposed, and once more then. Its failures stop nothing: what it tells is for people. */
export function regularly({ clock, log }: WorkEnvironment, work: () => Promise<void>): AsyncDisposable {
  const stop = new AbortController();
  const stopped = () => stop.signal.aborted;
  const once = () =>
    work().catch((error: unknown) => {
      log.debug({ error }, 'Progress could not be told.');
    });
  const working = (async () => {
    while (!stopped()) {
      await once();
      await clock.sleep(TELL_MS, stop.signal).catch(() => undefined);
    }
    await once();
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await working;
    },
  };
}

/** With Kafka: the pair's own topic to the target. */
export async function runReadyWriter(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<void> {
  const topic = readyTopic(pair.id, pair.load.number);
  await env.bus.createTopic(topic);
  await deleteReadyTopics(pair.id, env, topic);
  await runWriter(pair, topic, env, signal, (from, stop) => {
    assertNotOvertaken(from.division, pair);
    // What the load stored is an offset of the source's topic: of the ready topic all is wanted then.
    const offset = from.topic === topic ? from.nextOffset : 0n;
    return asReady(withoutApart(env.bus.read(topic, offset, stop), from.division, 'target'));
  });
}

export async function* asReady(blocks: AsyncIterable<BusBlock>): AsyncIterable<ReadyBlock> {
  for await (const { bytes, offset } of blocks) yield { bytes, nextOffset: offset + 1n };
}

async function runWriter(
  pair: SupervisedPair,
  topic: string,
  env: WorkEnvironment,
  signal: AbortSignal,
  open: (from: Applied, signal: AbortSignal) => AsyncIterable<ReadyBlock>,
): Promise<void> {
  const { control, clock, log } = env;
  const context: ConnectorContext = { clock, log, signal };
  // Promise 9: it is not streaming until it has been seen to; what an earlier process said of it is about the past.
  if (pair.state === 'streaming') await control.recordState(pair, 'catching_up');
  const target = await control.openTarget(pair.targetId);
  const source = await control.openSource(pair.sourceId);
  const progress = new StreamProgress(pair, topic, env, async () => {
    // Where tables have come since the load, what they lack is made once they have joined: see `schema-unit.ts`.
    if (pair.syncs.length === 0 && (await control.schemaPending(pair.id)))
      await completeTargetSchema(pair, { source, target, env, context });
  });
  const stage = new WriterStage({
    pairId: pair.id,
    schema: schemaOptions(pair, source, env, context),
    target,
    topic,
    before: async (connecting) => {
      await target.divide(pair.id, divideRequest(pair), connecting);
    },
    open: (from, stop) => progress.reading(open(from, stop)),
    storeDeadLetters: (letters) => storeLetters(pair, 'apply', letters, env),
    observer: {
      opened: (held) => {
        progress.opened(held);
      },
      committed: (applied, outcome, _lastCommitTime, { commitTimes, seconds }) => {
        progress.committed(applied, { outcome, commitTimes, seconds });
      },
      interrupted: (error, waitMs) => {
        if (error.code === 'TARGET_FENCED') {
          // As a rule: tables have left the stream or joined it, and it goes on with what it is to write now.
          log.info({ pair: pair.name, error }, 'The stream begins again from what the target holds.');
          return;
        }
        env.metrics.retried('writer', error.code);
        log.warn(
          { pair: pair.name, code: error.code, error, waitMs: Math.round(waitMs) },
          'Writing was interrupted and goes on by itself.',
        );
        progress.interrupted(error);
      },
    },
  });
  const telling = regularly(env, () => progress.tell());
  try {
    await stage.run(context);
  } finally {
    await telling[Symbol.asyncDispose]();
    env.metrics.lagGone(pair.id);
  }
}

export async function storeLetters(
  pair: SupervisedPair,
  stage: 'process' | 'apply',
  letters: readonly DeadLetter[],
  { control, metrics }: WorkEnvironment,
): Promise<void> {
  if (letters.length === 0) return;
  await control.storeDeadLetters(pair.id, letters);
  metrics.deadLetters(pair.id, stage, letters.length);
}

/** What a stream has reached; kept here per batch, told to the control database once a second. */
class StreamProgress {
  readonly #pair: SupervisedPair;
  readonly #topic: string;
  readonly #env: WorkEnvironment;
  #applied: Applied | undefined;
  #division: Division | undefined;
  readonly #since = new AppliedSince();
  readonly #waiting = new WaitingBlocks();
  #trouble: TerraFusionError | undefined;
  #state: 'catching_up' | 'streaming' = 'catching_up';
  #told: Word | undefined;
  readonly #consistent: () => Promise<void>;

  /** @param consistent called before the pair is told to stream: all that was loaded at several moments is one moment's now */
  constructor(pair: SupervisedPair, topic: string, env: WorkEnvironment, consistent: () => Promise<void>) {
    this.#pair = pair;
    this.#topic = topic;
    this.#env = env;
    this.#consistent = consistent;
  }

  opened(held: Applied): void {
    this.#applied = held;
    this.#division = held.division;
    this.#trouble = undefined;
    this.#waiting.opened(held);
  }

  /** The blocks, looked at on their way to the writer. */
  async *reading(blocks: AsyncIterable<ReadyBlock>): AsyncGenerator<ReadyBlock, void, undefined> {
    for await (const block of blocks) {
      this.#waiting.read(block);
      yield block;
    }
  }

  committed(applied: Applied, batch: CommittedBatch): void {
    const { metrics, clock } = this.#env;
    this.#applied = applied;
    this.#trouble = undefined;
    this.#since.add(batch.outcome);
    this.#waiting.applied(applied);
    metrics.committed(this.#pair.id, batch, clock.now());
  }

  interrupted(error: TerraFusionError): void {
    this.#trouble = error;
  }

  async tell(): Promise<void> {
    const applied = this.#applied;
    const { control, bus, clock, metrics, readers } = this.#env;
    if (!applied) return;
    const { next } = await bus.range(this.#topic);
    const { seconds: lagSeconds, blocks } = this.#waiting.look(applied.topic === this.#topic ? next : 0n, clock.now());
    const sourceLsn = readers.get(this.#pair.sourceId)?.sourceLsn;
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
