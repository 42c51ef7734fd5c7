import { join } from 'node:path';
import { pino, multistream, type Logger, type StreamEntry } from 'pino';
import roll from 'pino-roll';
import { maskFields, maskText } from './masking.ts';
import { prettyLine } from './log-pretty.ts';
import { removeOldLogs } from './log-retention.ts';

/** What most code needs of a log: fields first, then a sentence. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A pino logger whose files can be closed. Children (`log.child({ pair })`) share them. */
export type KernelLog = Logger & {
  /** Writes out what is in hand and closes the file. Only the root's owner calls it, last of all. */
  close(): Promise<void>;
};

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  /** The process, as it appears in every line: "gateway", "sync-service". Also the file's name. */
  readonly name: string;
  readonly level: LogLevel;
  /** Where to keep one file a day, seven days long; no files when left out. */
  readonly folder?: string;
  /** Lines for people instead of JSON at the terminal; the files stay JSON. */
  readonly pretty?: boolean;
  /** Where lines go that a terminal or a container's log shows: stdout when left out, false for nowhere. */
  readonly terminal?: { write(line: string): unknown } | false;
}

/** Days a log file is kept, today's included. */
export const LOG_DAYS = 7;

const dateFormat = 'yyyy-MM-dd';

/**
 * Opens the process's log: JSON lines to stdout and to `<folder>/<name>.<date>.<n>.log`. Secrets are masked in every field and
 * message, at any depth, before a line is made. (Promise 8)
 */
export async function createLog({ name, level, folder, pretty = false, terminal }: LogOptions): Promise<KernelLog> {
  const streams: StreamEntry[] = [];
  if (terminal !== false) {
    // Synchronous: what was logged last before a crash is what one wants to read.
    const out = terminal ?? pino.destination({ dest: 1, sync: true });
    const write = (line: string): void => {
      out.write(pretty ? prettyLine(line) : line);
    };
    streams.push({ level: 'trace', stream: { write } });
  }
  const file = folder === undefined ? undefined : await openFile(folder, name);
  if (file) streams.push({ level: 'trace', stream: file });

  const log = pino(
    {
      name,
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: {
        level: (label) => ({ level: label }),
        log: maskedFields,
      },
      serializers: { req: describeRequest, res: describeReply },
      hooks: {
        logMethod(args, method) {
          method.apply(
            this,
            args.map((arg: unknown) => (typeof arg === 'string' ? maskText(arg) : arg)) as typeof args,
          );
        },
      },
    },
    multistream(streams),
  );
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called below with the logger it is asked of
  const { child } = log;
  return Object.assign(log, {
    // pino has no hook for the fields of a child. A child inherits this method: all levels below come through here.
    child(this: Logger, ...[fields, options]: Parameters<typeof child>) {
      return child.call(this, maskFields(fields) as object, options);
    },
    close: async () => {
      if (file === undefined) return;
      await new Promise((resolve) => {
        file.once('close', resolve);
        file.end();
      });
    },
  });
}

interface HttpRequest {
  readonly method?: string;
  readonly url?: string;
  readonly ip?: string;
}

/** What fastify logs as `req`: the headers, with the key among them, stay out. */
function describeRequest({ method, url, ip }: HttpRequest): object {
  return { method, url: url === undefined ? undefined : maskText(url), ip };
}

function describeReply({ statusCode }: { readonly statusCode?: number }): object {
  return { statusCode };
}

function maskedFields({ req, res, ...fields }: Record<string, unknown>): Record<string, unknown> {
  return {
    ...(maskFields(fields) as Record<string, unknown>),
    ...(req === undefined ? {} : { req }),
    ...(res === undefined ? {} : { res }),
  };
}

async function openFile(folder: string, name: string): Promise<Awaited<ReturnType<typeof roll>>> {
  // pino-roll removes old files when the day turns; a process that is restarted every evening would never do so.
  await removeOldLogs(folder, name, LOG_DAYS);
  const file = await roll({
    file: join(folder, name),
    frequency: 'daily',
    dateFormat,
    mkdir: true,
    sync: true,
    limit: { count: LOG_DAYS, removeOtherLogFiles: true },
  });
  let told = false;
  // A full disk must not end the process that could tell about it.
  file.on('error', (error: Error) => {
    if (!told)
      process.stderr.write(
        `${JSON.stringify({ level: 'error', message: 'The log file cannot be written.', error: error.message })}\n`,
      );
    told = true;
  });
  return file;
}

/** A log that says nothing, for tests and tools. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // Nothing is wanted.
}
