import type { EventEmitter } from 'node:events';
import { asTerraFusionError, type TerraFusionError } from '#schemas/errors.ts';
import type { Log } from './log.ts';
import { maskText } from './masking.ts';

/** How a process ends; also in the README. */
export const exitCodes = {
  /** The work is done, or it was asked to stop and has drained. */
  OK: 0,
  /** It failed, for the reason in the last line; or draining took longer than it may. */
  FAILED: 1,
  /** Wrong arguments on the command line. */
  USAGE: 64,
  /** A defect: an error that nobody had reckoned with. */
  DEFECT: 70,
  /** Wrong settings. */
  CONFIG: 78,
  /** A second signal cut the draining short. */
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What runs until it is told to stop. */
export interface Service {
  /** Works until the signal is aborted, then finishes what is in hand and resolves. Resolving earlier means that the work is done. */
  run(signal: AbortSignal): Promise<void>;
}

export interface RunOptions {
  readonly log: Log;
  /** How long draining, and closing everything afterwards, may take, in ms. Then the process ends with {@link exitCodes}.FAILED. */
  readonly drainWithinMs: number;
  /** The process to listen to; another one in tests. */
  readonly process?: ProcessLike;
}

/** What is used of `process`. */
export interface ProcessLike extends Pick<EventEmitter, 'on'> {
  exitCode?: number | string | null | undefined;
  exit(code: number): void;
}

/**
 * Runs a service as this process: SIGINT and SIGTERM tell it to stop, a second one ends the process at once. Sets the exit code and
 * returns; what the caller has opened with `await using` is closed on the way out, still within `drainWithinMs`. An error of the
 * service is logged here, once.
 */
export async function run(
  service: Service,
  { log, drainWithinMs, process: host = process }: RunOptions,
): Promise<void> {
  const stop = new AbortController();
  let defect = false;

  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      log.warn(
        { signal },
        'Asked a second time to stop: the work in hand is cut off. It is repeated after the next start.',
      );
      host.exit(exitCodes.INTERRUPTED);
      return;
    }
    log.info({ signal, drainWithinMs }, 'Asked to stop: finishing what is in hand.');
    limitDraining(host, log, drainWithinMs);
    stop.abort(new Error(`stopped by ${signal}`));
  };
  const onDefect = (error: unknown): void => {
    if (defect) return;
    defect = true;
    log.error({ error: asTerraFusionError(error) }, 'An error that nobody handles ends the process.');
    host.exit(exitCodes.DEFECT);
  };
  // They stay when this function returns: closing takes its time too, and a second Ctrl-C is meant for that as well.
  host.on('SIGINT', onSignal);
  host.on('SIGTERM', onSignal);
  host.on('uncaughtException', onDefect);
  host.on('unhandledRejection', onDefect);

  try {
    await service.run(stop.signal);
    host.exitCode = exitCodes.OK;
    log.info({}, stop.signal.aborted ? 'Stopped.' : 'Done.');
  } catch (thrown) {
    if (stop.signal.aborted && thrown === stop.signal.reason) {
      host.exitCode = exitCodes.OK;
      log.info({}, 'Stopped.');
      return;
    }
    const error = asTerraFusionError(thrown);
    host.exitCode = exitCodeOf(error);
    log.error({ error, code: error.code, fix: error.fix }, error.message);
    limitDraining(host, log, drainWithinMs);
  }
}

/** From now on the process has `ms` to end by itself. */
function limitDraining(host: ProcessLike, log: Log, ms: number): void {
  setTimeout(() => {
    log.error(
      { drainWithinMs: ms },
      'Stopping took too long and is cut off. The work in hand is repeated after the next start.',
    );
    host.exit(exitCodes.FAILED);
  }, ms).unref();
}

/** The code with which an error ends the process. */
export function exitCodeOf(error: TerraFusionError): ExitCode {
  if (error.code === 'CONFIG_INVALID') return exitCodes.CONFIG;
  return error.code === 'INTERNAL' ? exitCodes.DEFECT : exitCodes.FAILED;
}

/**
 * The outermost function of a process: an error on the way up (settings, ports, folders) becomes a line that says what is wrong and
 * what to do, and an exit code. (A defect also shows where it happened.)
 */
export async function main(
  body: () => Promise<void>,
  {
    host = process,
    print = writeToStderr,
  }: { readonly host?: ProcessLike; readonly print?: (text: string) => void } = {},
): Promise<void> {
  try {
    await body();
  } catch (thrown) {
    const error = asTerraFusionError(thrown);
    host.exitCode = exitCodeOf(error);
    print(`${error.code}: ${maskText(error.message)}\n${error.fix}\n`);
    if (error.code === 'INTERNAL' && thrown instanceof Error) print(`${maskText(thrown.stack ?? '')}\n`);
  }
}

function writeToStderr(text: string): void {
  process.stderr.write(text);
}
