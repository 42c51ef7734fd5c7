import type { Applied, Target } from '#connectors/contract/target.ts';
import { BlockReader } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatPosition, parsePosition } from '#schemas/position.ts';
import { changesTopic, readyTopic } from '#schemas/topics.ts';
import type { BusBlock } from '#services/kernel/bus/port.ts';
import { compilePair, type KnownTable, type PairOptions } from '#services/stream-processor/compile.ts';
import { processed } from '#services/stream-processor/inline.ts';
import { runStage } from '#services/stream-processor/stage.ts';
import { WriterStage, type ReadyBlock } from '#services/writer/writer.ts';
import { deleteReadyTopics } from './cleanup-unit.ts';
import { assertNotOvertaken, divideRequest, withoutApart } from './division.ts';
import { contextOf, type WorkEnvironment } from './environment.ts';
import { laidOver } from './laid-over.ts';
import type { SupervisedPair } from './ports.ts';
import { ProcessorLook } from './processor-look.ts';
import { quarantine, storeLetters } from './quarantine.ts';
import { mayRestart, noteRestart } from './restarts.ts';
import { completeTargetSchema } from './target-schema.ts';
import { schemaOptions } from './schema-policy.ts';
import { StreamProgress } from './stream-progress.ts';
import { watched } from './stuck.ts';

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
  env: WorkEnvironment,
  signal: AbortSignal,
): Promise<KnownTable[]> {
  const held = await target.heldTables(pair.id, contextOf(env, pair.name, signal));
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
  const look = new ProcessorLook(pair, input, env);
  let told: bigint | undefined;
  let works = false;
  let isWell = false;
  const telling = regularly(env, async () => {
    const reached = look.next;
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
    const processor = laidOver(compilePair(pair.definition, await pairOptions(pair, env, signal)), pair.load.loaded);
    await watched(look, look.options, signal, (running) =>
      runStage({
        bus: env.bus,
        input,
        output: readyTopic(pair.id, number),
        processor,
        start: { offset: startOffset, position: parsePosition(startPosition) },
        storeDeadLetters: (letters) => storeLetters(pair, 'process', letters, env),
        onResumed: (offset) => {
          look.next = told = offset;
        },
        onAppended: ({ nextOffset, counts }) => {
          look.appended(nextOffset);
          works = true;
          for (const each of counts) env.metrics.counted(pair.id, each);
        },
        signal: running,
        group: `terrafusion.stream-processor.${pair.id}`,
      }),
    );
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
  const { control, clock, log, healing } = env;
  const context = contextOf(env, pair.name, signal);
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
    storeDeadLetters: (letters) => quarantine(pair, letters, env),
    goesOn: (error) => mayRestart(healing, error),
    observer: {
      opened: (held) => {
        progress.opened(held);
      },
      committed: (applied, outcome, _lastCommitTime, { commitTimes, seconds }) => {
        progress.committed(applied, { outcome, commitTimes, seconds });
      },
      taken: () => {
        progress.taken();
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
        noteRestart(healing, pair.name, error);
        const isNew = progress.interrupted(error);
        if (isNew && error.code.startsWith('TARGET_')) {
          const message = `${error.message}; what the source commits meanwhile waits in the bus`;
          healing.done('keep_reading', { subject: pair.name, code: error.code, message });
        }
      },
    },
  });
  const telling = regularly(env, () => progress.tell());
  try {
    const left = (error: TerraFusionError | undefined): void => {
      progress.left(error);
    };
    await watched(progress, { clock, log, healing, ...env.stuck, left }, signal, (running) =>
      stage.run({ ...context, signal: running }),
    );
  } finally {
    await telling[Symbol.asyncDispose]();
    env.metrics.lagGone(pair.id);
  }
}
