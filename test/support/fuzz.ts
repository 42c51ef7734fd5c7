import fc, { type Arbitrary } from 'fast-check';
import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';

const wanted = process.env['FUZZ_RUNS'];

/** How often a property is tried: `usual` in every run of the tests, FUZZ_RUNS=1000000 for an afternoon. */
export const fuzzRuns = (usual: number): number => (wanted === undefined ? usual : Number(wanted));

/** For tests of properties; as long as it takes when more runs are wanted. In ms. */
export const FUZZ_TIMEOUT = wanted === undefined ? 60_000 : 60 * 60_000;

/** More than any of our inputs may cost, and far less than a length that is believed: what an announced length must not allocate. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Slow machines included; a loop over an announced count takes hours. */
const MOST_MS = 5000;

/**
 * Runs something on bytes or texts that make no sense: it comes to an end in time, takes no memory for what was only announced, and whatever
 * it throws has one of our codes.
 * @returns the code, or undefined when it took what it was given
 */
export function withinBounds(codes: readonly ErrorCode[], work: () => unknown): ErrorCode | undefined {
  const bytes = process.memoryUsage().arrayBuffers;
  const began = performance.now();
  let code: ErrorCode | undefined;
  try {
    work();
  } catch (error) {
    if (!(error instanceof TerraFusionError) || !codes.includes(error.code)) throw error;
    code = error.code;
  }
  const ms = performance.now() - began;
  if (ms > MOST_MS) throw new Error(`It took ${Math.round(ms)} ms`);
  const more = process.memoryUsage().arrayBuffers - bytes;
  if (more > MOST_BYTES) throw new Error(`It took ${more} bytes`);
  return code;
}

/** A change of bytes that were good. */
export interface Damage {
  readonly how: 'set' | 'cut' | 'insert' | 'repeat' | 'u32' | 'varint';
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Lengths and counts that no message has. */
const extremes = [0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff, 0x7fff];
const varints = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
];

export const damage: Arbitrary<Damage> = fc.record({
  how: fc.constantFrom('set', 'cut', 'insert', 'repeat', 'u32', 'varint'),
  at: fc.nat(),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
});

/** Good bytes with these changes, in a buffer of its own. */
export function damaged(good: Buffer, changes: readonly Damage[]): Buffer {
  let bytes = Buffer.from(good);
  for (const { how, at, bytes: put } of changes) {
    if (bytes.length === 0) return bytes;
    const from = at % bytes.length;
    const size = put[0]!;
    const head = bytes.subarray(0, from);
    const tail = bytes.subarray(from);
    if (how === 'set') put.forEach((byte, i) => (bytes[(from + i) % bytes.length] = byte));
    else if (how === 'cut') bytes = Buffer.concat([head, tail.subarray(size)]);
    else if (how === 'insert') bytes = Buffer.concat([head, put, tail]);
    else if (how === 'repeat') bytes = Buffer.concat([head, tail.subarray(0, size), tail]);
    else if (how === 'varint')
      bytes = Buffer.concat([head, Buffer.from(varints[size % varints.length]!), tail.subarray(1)]);
    else if (tail.length >= 4) bytes.writeUInt32BE(extremes[size % extremes.length]!, from);
  }
  return bytes;
}
