import { TerraFusionError } from '#schemas/errors.ts';
import type { Role } from '../errors.ts';

/**
 * Called for each message: its type byte, and where its body lies. The bytes are the callee's only until it returns:
 * they may be the socket's own chunk or a buffer that is used again.
 */
export type OnMessage = (type: number, buf: Buffer, start: number, end: number) => void;

/** Type byte and length. */
const HEADER = 5;
/** No message may be longer: PostgreSQL itself allocates at most 1 GiB. */
const LONGEST = 0x4000_0000;
/** A message that spans chunks is gathered here; the buffer is kept for the next one up to this size. (Promise 6) */
const KEPT = 1024 * 1024;

/**
 * Cuts a stream of bytes into the protocol's messages. Messages that lie whole in a chunk are handed over in place; only one that
 * spans chunks is copied. Works on any cut of the stream, and no byte sequence makes it hang, crash or hold more than was sent.
 */
export class Framer {
  readonly #role: Role;
  /** Beginning of a message whose rest has not come yet. */
  #held = Buffer.allocUnsafeSlow(64 * 1024);
  #have = 0;

  constructor(role: Role) {
    this.#role = role;
  }

  /** Bytes of a message that is not complete yet. */
  get waiting(): number {
    return this.#have;
  }

  /** @throws {TerraFusionError} SOURCE_PROTOCOL or TARGET_UNREACHABLE for a length that cannot be; and whatever `onMessage` throws */
  push(chunk: Buffer, onMessage: OnMessage): void {
    let pos = 0;
    const end = chunk.length;
    if (this.#have > 0) {
      pos = this.#complete(chunk, onMessage);
      if (pos < 0) return;
    }
    while (end - pos >= HEADER) {
      const total = this.#totalAt(chunk, pos);
      if (end - pos < total) break;
      onMessage(chunk[pos]!, chunk, pos + HEADER, pos + total);
      pos += total;
    }
    if (pos < end) this.#hold(chunk, pos, end);
  }

  /** Completes the held message from the chunk. @returns where the chunk goes on, -1 when all of it was needed and more */
  #complete(chunk: Buffer, onMessage: OnMessage): number {
    let pos = 0;
    if (this.#have < HEADER) {
      pos = Math.min(HEADER - this.#have, chunk.length);
      this.#hold(chunk, 0, pos);
      if (this.#have < HEADER) return -1;
    }
    const total = this.#totalAt(this.#held, 0);
    const needed = total - this.#have;
    if (chunk.length - pos < needed) {
      this.#hold(chunk, pos, chunk.length);
      return -1;
    }
    this.#hold(chunk, pos, pos + needed);
    const held = this.#held;
    this.#have = 0;
    if (held.length > KEPT) this.#held = Buffer.allocUnsafeSlow(64 * 1024);
    onMessage(held[0]!, held, HEADER, total);
    return pos + needed;
  }

  #hold(chunk: Buffer, from: number, to: number): void {
    const needed = this.#have + to - from;
    if (needed > this.#held.length) {
      // Doubling, not the announced length: a broken length must not allocate what never comes.
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#held.length * 2));
      this.#held.copy(larger, 0, 0, this.#have);
      this.#held = larger;
    }
    chunk.copy(this.#held, this.#have, from, to);
    this.#have = needed;
  }

  #totalAt(buf: Buffer, pos: number): number {
    const length = ((buf[pos + 1]! << 24) | (buf[pos + 2]! << 16) | (buf[pos + 3]! << 8) | buf[pos + 4]!) >>> 0;
    if (length < 4 || length > LONGEST) {
      throw new TerraFusionError(
        this.#role === 'source' ? 'SOURCE_PROTOCOL' : 'TARGET_UNREACHABLE',
        `The ${this.#role} sent a message of ${length} bytes, which the protocol does not allow`,
      );
    }
    return length + 1;
  }
}
