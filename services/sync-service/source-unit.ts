import type { Clock, Log } from '#connectors/contract/context.ts';
import type { ReaderStatus } from '#connectors/contract/source.ts';
import type { CellFormat } from '#schemas/block/index.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { changesTopic } from '#schemas/topics.ts';
import type { Bus } from '#services/kernel/bus/port.ts';
import { ReaderStage } from '#services/reader/reader.ts';
import { contextOf, type WorkEnvironment } from './environment.ts';
import type { PipelineMetrics } from './pipeline-metrics.ts';
import type { ControlPort, Generation, SourceStatus } from './ports.ts';
import { ReaderLook } from './reader-look.ts';
import { mayRestart, noteRestart } from './restarts.ts';
import { trimTopic } from './retention.ts';
import { watched } from './stuck.ts';
import type { WorkUnit } from './work.ts';

/** How often the source's state is told and its topic trimmed, in milliseconds. */
const TELL_MS = 2000;

export interface SourceUnitOptions extends Pick<WorkEnvironment, 'healing' | 'stuck'> {
  readonly sourceId: string;
  /** What people call it. */
  readonly sourceName: string;
  readonly generation: Generation;
  /** Another number after somebody has asked for another try; only a halted reader is started again by it. */
  readonly attempt: number;
  /** How values are wanted when the reader begins; pairs that come later take what there is. */
  readonly cells: CellFormat;
  readonly bus: Bus;
  readonly control: ControlPort;
  readonly metrics: PipelineMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Live numbers for who runs in the same process. */
  readonly onStatus: (status: ReaderStatus | undefined) => void;
  /** The reader has met an error that does not heal: the source's pairs cannot go on. */
  readonly onHalt: (error: TerraFusionError) => Promise<void>;
}

/** Reads a source into its topic as long as it has pairs, paused ones included: a paused pair must not fill the source's disk. */
export function sourceUnit(options: SourceUnitOptions): WorkUnit {
  const { sourceId, generation } = options;
  return {
    name: `reader:${sourceId}`,
    // Pairs come and go without a new connection: the publication changes at the source.
    version: `generation ${generation.generation}`,
    attempt: options.attempt,
    stageOf: options.sourceName,
    run: (signal) => runReader(options, signal),
    interrupted: (error) => tell(options, 'waiting', undefined, error),
    halted: async (error) => {
      await tell(options, 'halted', undefined, error);
      await options.onHalt(error);
    },
  };
}

async function runReader(options: SourceUnitOptions, signal: AbortSignal): Promise<void> {
  const { sourceId, sourceName, generation, cells, bus, control, metrics, clock, log, healing, stuck } = options;
  let trouble: TerraFusionError | undefined;
  const look = new ReaderLook(options, () => stage.status());
  const stage = new ReaderStage({
    sourceId,
    topic: changesTopic(sourceId),
    generation: generation.generation,
    stream: generation.stream,
    cells,
    // Opened anew at each connect: its connection may have been changed, to a new primary for one.
    source: { openReader: async (request, each) => (await control.openSource(sourceId)).openReader(request, each) },
    bus,
    goesOn: (error) => mayRestart(healing, error),
    observer: {
      failedOver: async (stream) => {
        await control.recordGeneration(sourceId, { generation: generation.generation, stream }, true);
        log.warn(
          { source: sourceId, slot: stream.slot, timeline: stream.timeline },
          'The source has failed over; its slot has come along, and reading goes on there.',
        );
        const message = `Slot ${stream.slot} has come along to timeline ${stream.timeline}; reading goes on there`;
        healing.done('follow_failover', { subject: sourceName, message });
      },
      connected: () => {
        trouble = undefined;
        look.connected();
      },
      read: ({ changes }) => {
        metrics.read(sourceId, changes);
        look.read += 1;
      },
      stored: (blocks) => {
        trouble = undefined;
        look.stored += blocks.length;
        metrics.stored(sourceId, blocks);
      },
      interrupted: (error, waitMs) => {
        trouble = error;
        look.tries += 1;
        metrics.retried('reader', error.code);
        noteRestart(healing, sourceName, error);
        log.warn(
          { source: sourceId, code: error.code, error, waitMs: Math.round(waitMs) },
          'Reading was interrupted and goes on by itself.',
        );
      },
      paused: (error) => {
        if (trouble?.code !== error.code)
          log.error({ source: sourceId, code: error.code, fix: error.fix }, 'The bus is full: reading waits.');
        trouble = error;
        look.tries += 1;
      },
    },
  });
  const telling = new AbortController();
  const told = tellRegularly(options, stage, () => trouble, telling.signal);
  try {
    const left = (error: TerraFusionError | undefined): void => {
      trouble = error;
    };
    await watched(look, { clock, log, healing, ...stuck, left }, signal, (running) =>
      stage.run(contextOf(options, sourceName, running)),
    );
  } finally {
    telling.abort();
    await told;
    options.onStatus(undefined);
    metrics.readerGone(sourceId);
  }
}

async function tellRegularly(
  options: SourceUnitOptions,
  stage: ReaderStage,
  trouble: () => TerraFusionError | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { sourceId, bus, control, metrics, clock, log } = options;
  const topic = changesTopic(sourceId);
  const stopped = () => signal.aborted;
  while (!stopped()) {
    try {
      const status = stage.status();
      options.onStatus(status);
      const error = trouble();
      const state = error ? 'waiting' : status ? 'reading' : 'connecting';
      metrics.reader(sourceId, state, status);
      await tell(options, state, status, error);
      // Under the lock, so that no load chooses its start between what is read here and what is forgotten.
      await control.lockedSource(sourceId, async () => {
        await trimTopic(bus, topic, await control.neededOffsets(sourceId));
      });
      const { first, next } = await bus.range(topic);
      metrics.topic(sourceId, Number(next - first), await bus.bytesHeld(topic));
    } catch (error) {
      if (!stopped()) log.debug({ source: sourceId, error }, 'The state of the source could not be told.');
    }
    await clock.sleep(TELL_MS, signal).catch(() => undefined);
  }
}

async function tell(
  { sourceId, generation, control }: SourceUnitOptions,
  state: SourceStatus['state'],
  status: ReaderStatus | undefined,
  error: TerraFusionError | undefined,
): Promise<void> {
  await control.recordSourceStatus(sourceId, {
    state,
    generation: generation.generation,
    sourceLsn: status && formatLsn(status.sourceLsn),
    receivedLsn: status && formatLsn(status.receivedLsn),
    acknowledgedLsn: status && formatLsn(status.acknowledgedLsn),
    error,
  });
}
