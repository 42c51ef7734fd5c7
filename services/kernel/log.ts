import { pino, multistream, type Logger, type StreamEntry } from 'pino';
import { DailyFile } from './log-file.ts';
import { maskFields, maskText } from './masking.ts';
import { prettyLine } from './log-pretty.ts';

/** What most code needs of a log: fields first, then a sentence. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A pino logger whose files can be closed. Children (`log.child({ pair })`) share them. */
export type KernelLog = Logger & {
  /** Closes the file; every line is in it already. Only the root's owner calls it, last of all. */
  close(): void;
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

/**
 * Opens the process's log: JSON lines to stdout and to `<folder>/<name>.<day>.log`. Secrets are masked in every field and
 * message, at any depth, before a line is made. (Promise 8)
 */
export function createLog({ name, level, folder, pretty = false, terminal }: LogOptions): KernelLog {
  const streams: StreamEntry[] = [];
  if (terminal !== false) {
    // Synchronous: what was logged last before a crash is what one wants to read.
    const out = terminal ?? pino.destination({ dest: 1, sync: true });
    const write = (line: string): void => {
      out.write(pretty ? prettyLine(line) : line);
    };
    streams.push({ level: 'trace', stream: { write } });
  }
  const file = folder === undefined ? undefined : openFile(folder, name);
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
    close: () => file?.close(),
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

function openFile(folder: string, name: string): DailyFile {
  return new DailyFile({
    folder,
    name,
    days: LOG_DAYS,
    onTrouble: (error) => {
      const { message } = error;
      process.stderr.write(
        `${JSON.stringify({ level: 'error', name, message: 'The log file cannot be written.', error: message })}\n`,
      );
    },
  });
}

/**
 * The log with fields that every line gets: of which pair, for which request. They win over a line's own: a stage that knows a pair by its
 * id only says what the others say.
 */
export function boundLog(log: Log, bound: object): Log {
  const at =
    (level: keyof Log) =>
    (fields: object, message: string): void => {
      log[level]({ ...fields, ...bound }, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A log without warnings: for what may well be refused and is then done otherwise. Errors are said all the same. */
export function quiet(log: Log): Log {
  const say =
    (level: keyof Log) =>
    (fields: object, message: string): void => {
      log[level](fields, message);
    };
  return { debug: say('debug'), info: say('info'), warn: say('debug'), error: say('error') };
}

/** A log that says nothing, for tests and tools. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // Nothing is wanted.
}
