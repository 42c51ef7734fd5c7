import type { Socket } from 'node:net';

/** How a way is narrowed. */
export interface Shape {
  /** Every byte arrives so much later. */
  readonly latencyMs?: number;
  /** Of each connection and direction. */
  readonly bytesPerSecond?: number;
  /** New connections are taken, and led on so much later. */
  readonly slowStartMs?: number;
}

/** Bytes on the way, above which the sender has to wait. */
const MOST_ON_THE_WAY = 256 * 1024;
/** What leaves at once over a narrow way: small, so that little things arrive a bit at a time. */
const PIECE = 8 * 1024;

interface Piece {
  readonly bytes: Buffer;
  /** performance.now() from which it may arrive. */
  readonly due: number;
}

/** One direction of a connection: takes what `from` sends, and gives it to `to` in order, when its time has come. */
export class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #shape: () => Shape;
  readonly #pieces: Piece[] = [];
  #bytes = 0;
  /** When the narrow way is free again. */
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #frozen = false;
  #swallowed = false;
  #ended = false;

  constructor(from: Socket, to: Socket, shape: () => Shape) {
    this.#from = from;
    this.#to = to;
    this.#shape = shape;
    from.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    from.on('end', () => {
      this.#ended = true;
      this.#move();
    });
    from.on('close', () => {
      // Who is swallowed hears nothing of the other's end.
      if (this.#swallowed) return;
      if (this.#pieces.length === 0 && !this.#frozen) this.#to.destroy();
    });
    to.on('drain', () => {
      this.#move();
    });
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    this.#pace();
    if (!frozen) this.#move();
  }

  /** From now on, and for ever, what comes is thrown away. */
  swallow(): void {
    this.#swallowed = true;
    this.#pieces.length = 0;
    this.#bytes = 0;
    clearTimeout(this.#timer);
    this.#from.resume();
  }

  #take(bytes: Buffer): void {
    if (this.#swallowed) return;
    const { latencyMs = 0, bytesPerSecond } = this.#shape();
    const now = performance.now();
    if (bytesPerSecond === undefined) this.#add({ bytes, due: now + latencyMs });
    else {
      for (let at = 0; at < bytes.length; at += PIECE) {
        const piece = bytes.subarray(at, at + PIECE);
        this.#freeAt = Math.max(now, this.#freeAt) + (piece.length / bytesPerSecond) * 1000;
        this.#add({ bytes: piece, due: this.#freeAt + latencyMs });
      }
    }
    this.#move();
  }

  #add(piece: Piece): void {
    this.#pieces.push(piece);
    this.#bytes += piece.bytes.length;
  }

  #move(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#frozen || this.#swallowed) return;
    for (let next = this.#pieces[0]; next !== undefined; next = this.#pieces[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#move();
        }, wait);
        break;
      }
      // Its buffer is full: "drain" tells when to go on.
      if (this.#to.writableNeedDrain) break;
      this.#pieces.shift();
      this.#bytes -= next.bytes.length;
      this.#to.write(next.bytes);
    }
    if (this.#pieces.length === 0 && this.#ended) this.#to.end();
    this.#pace();
  }

  #pace(): void {
    if (this.#frozen || this.#bytes > MOST_ON_THE_WAY) this.#from.pause();
    else this.#from.resume();
  }
}
