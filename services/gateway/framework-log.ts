import type { FastifyBaseLogger } from 'fastify';
import type { Log } from '#services/kernel/log.ts';

/** Our log in the form that the framework wants; it logs very little through it, see `errors.ts`. */
export function frameworkLog(log: Log, bound: object = {}): FastifyBaseLogger {
  const at =
    (level: keyof Log) =>
    (first: unknown, second?: unknown): void => {
      if (typeof first === 'string') log[level](bound, first);
      else log[level]({ ...bound, ...(first as object) }, typeof second === 'string' ? second : '');
    };
  const error = at('error');
  const ignore = (): void => undefined;
  return {
    level: 'info',
    fatal: error,
    error,
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    trace: ignore,
    silent: ignore,
    child: (bindings: object) => frameworkLog(log, { ...bound, ...bindings }),
  } as FastifyBaseLogger;
}
