import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { asTerraFusionError, errorKinds, TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { z } from 'zod';
import type { errorReply } from '#schemas/http/common.ts';
import { maskFields, maskText } from '#services/kernel/masking.ts';

type ErrorReply = z.output<typeof errorReply>;

/** What the framework says about a request, in our words. */
const ofFramework: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['REQUEST_NOT_JSON', 'The body is not JSON: its Content-Type is another one'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['REQUEST_NOT_JSON', 'The body is empty, though its Content-Type says JSON'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['REQUEST_NOT_JSON', 'The body is not JSON'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['REQUEST_TOO_LARGE', 'The body is too large'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['REQUEST_INVALID', 'The body is not as long as Content-Length says'],
  FST_ERR_BAD_URL: ['REQUEST_INVALID', 'The path is not a valid URL'],
  FST_ERR_MAX_URL_LENGTH: ['REQUEST_INVALID', 'The path is too long'],
};

/** Any error that leaves a handler or the framework, as one of the table. */
export function toOurs(error: unknown): TerraFusionError {
  if (error instanceof TerraFusionError) return error;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  const known = code === undefined ? undefined : ofFramework[code];
  if (known) return new TerraFusionError(known[0], known[1], { cause: error });
  // secure-json-parse refuses "__proto__" keys with a SyntaxError that has a status.
  if (error instanceof SyntaxError && statusCode === 400) {
    return new TerraFusionError('REQUEST_NOT_JSON', `The body is not JSON: ${error.message}`, { cause: error });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new TerraFusionError('REQUEST_INVALID', message ?? 'The request is not valid', { cause: error });
  }
  return asTerraFusionError(error);
}

/** The reply's body. Of a defect the caller gets the request id, not what our insides say. (Promise 8) */
export function errorBody(error: TerraFusionError, requestId: string): ErrorReply {
  const internal = error.code === 'INTERNAL';
  return {
    error: {
      code: error.code,
      message: internal ? 'Something went wrong inside TerraFusion Sync' : maskText(error.message),
      fix: error.fix,
      details: internal ? {} : (maskFields(error.details) as Record<string, unknown>),
      request_id: requestId,
    },
  };
}

/** The one place where a failed request is answered and logged. */
export function answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toOurs(thrown);
  const { status } = errorKinds[error.code];
  const fields = { req: request, code: error.code, status };
  // The caller has hung up: whatever broke off because of that is no news.
  if (request.raw.destroyed) request.log.debug({ ...fields, error }, 'The caller of a request has gone.');
  else if (error.code === 'INTERNAL') request.log.error({ ...fields, error }, 'A request failed.');
  else if (status >= 500) request.log.warn({ ...fields, error }, 'A request could not be answered.');
  else request.log.debug({ ...fields, reason: error.message }, 'A request was refused.');
  const wait = error.details['retry_after_s'];
  if (typeof wait === 'number') void reply.header('retry-after', String(wait));
  if (status === 401) void reply.header('www-authenticate', 'Bearer realm="TerraFusion Sync"');
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(errorBody(error, request.id));
}
