import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const packers = {
  br: (content: Buffer): Promise<Buffer> =>
    promisify(brotliCompress)(content, {
      params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
    }),
  gzip: (content: Buffer): Promise<Buffer> => promisify(gzip)(content, { level: 9 }),
};
type Encoding = keyof typeof packers;

/** Below this a packed file is no smaller on the wire, in bytes. */
const WORTH_PACKING = 1000;

/** A file in memory that a browser may get: packed when it is first asked for, and once. */
export class StaticFile {
  readonly content: Buffer;
  readonly type: string;
  readonly etag: string;
  /** Its name changes with its content: it never has to be asked for again. */
  readonly immutable: boolean;
  readonly #packed = new Map<Encoding, Promise<Buffer>>();

  /** @param extension ".js" */
  constructor(content: Buffer, extension: string, { immutable = false } = {}) {
    const type = contentTypes[extension];
    if (type === undefined) throw new Error(`A browser gets no file "*${extension}"`);
    this.content = content;
    this.type = type;
    this.immutable = immutable;
    this.etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  }

  packed(encoding: Encoding): Promise<Buffer> {
    let packed = this.#packed.get(encoding);
    if (!packed) this.#packed.set(encoding, (packed = packers[encoding](this.content)));
    return packed;
  }
}

/** Sends the file as small as the browser takes it, or 304 when the browser has it. */
export async function sendStatic(
  file: StaticFile,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Buffer | undefined> {
  const encoding = file.content.length < WORTH_PACKING ? undefined : encodingFor(request.headers['accept-encoding']);
  // One name for each form: a cache in between must not mix them up.
  const etag = encoding === undefined ? file.etag : `${file.etag.slice(0, -1)}-${encoding}"`;
  void reply
    .header('etag', etag)
    .header('vary', 'accept-encoding')
    .header('cache-control', file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
  if (request.headers['if-none-match'] === etag) {
    void reply.code(304);
    return undefined;
  }
  void reply.type(file.type);
  if (encoding === undefined) return file.content;
  void reply.header('content-encoding', encoding);
  return await file.packed(encoding);
}

/** The best form that the browser takes; what it rules out with q=0 it does not get. */
function encodingFor(accepted: string | string[] | undefined): Encoding | undefined {
  const takes = new Set(
    [accepted ?? []]
      .flat()
      .join(',')
      .toLowerCase()
      .split(',')
      .map((part) => part.trim())
      .filter((part) => !/;\s*q=0(\.0*)?$/.test(part))
      .map((part) => part.split(';', 1)[0]!.trim()),
  );
  return takes.has('br') ? 'br' : takes.has('gzip') ? 'gzip' : undefined;
}
