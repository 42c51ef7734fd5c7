import { createHash } from 'node:crypto';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Clock } from '#services/kernel/clock.ts';

/** Wrong keys count together for this long, in ms. */
const WINDOW = 15 * 60_000;
/** How long the first lockout lasts, and the longest one, in ms; each doubles the one before. */
const FIRST = 30_000;
const LONGEST = 15 * 60_000;
/** After so long without a wrong key nothing is held against anybody, in ms. */
const FORGIVEN = 60 * 60_000;
const REMEMBERED = 10_000;

/** Who is shut out for a while: an address that tries keys, or a key that is tried. */
export interface Subject {
  readonly kind: 'address' | 'key';
  readonly id: string;
}

export interface Locked extends Subject {
  readonly forMs: number;
  /** Different wrong keys since the last time. */
  readonly failures: number;
}

interface Record {
  /** Hashes of wrong keys, with when they came; the same one again is no guess, but a program that nobody has told. */
  readonly wrong: Map<string, number>;
  lockedUntil: number;
  lockouts: number;
  lastAt: number;
}

/**
 * Shuts out who tries different keys, longer each time. In the memory of this process: at another gateway he starts anew, with the same
 * limit.
 */
export class Lockout {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #subjects = new Map<string, Record>();

  /** @param limit different wrong keys that are one too many; 0: nobody is shut out */
  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /** @throws LOCKED_OUT */
  assertFree(subjects: readonly Subject[]): void {
    const now = this.#clock.monotonic();
    for (const subject of subjects) {
      const left = (this.#subjects.get(nameOf(subject))?.lockedUntil ?? 0) - now;
      if (left <= 0) continue;
      throw new TerraFusionError(
        'LOCKED_OUT',
        `Too many wrong keys ${subject.kind === 'address' ? `from ${subject.id}` : `with the id ${subject.id}`}`,
        { details: { retry_after_s: Math.ceil(left / 1000) } },
      );
    }
  }

  /** A key was wrong. Returns who is shut out from now on. */
  failed(subjects: readonly Subject[], text: string): Locked[] {
    if (this.#limit === 0) return [];
    const hash = createHash('sha256').update(text).digest('base64');
    return subjects.flatMap((subject) => this.#failed(subject, hash) ?? []);
  }

  /** The right secret of a key has come: whoever tried others has not found it. */
  succeeded(subject: Subject): void {
    this.#subjects.delete(nameOf(subject));
  }

  #failed(subject: Subject, hash: string): Locked | undefined {
    const now = this.#clock.monotonic();
    const record = this.#recordOf(subject, now);
    for (const [old, at] of record.wrong) if (now - at > WINDOW) record.wrong.delete(old);
    record.wrong.set(hash, now);
    record.lastAt = now;
    // Who has been shut out before is shut out by the next wrong one.
    if (record.wrong.size < (record.lockouts === 0 ? this.#limit : 1)) return undefined;
    const forMs = Math.min(LONGEST, FIRST * 2 ** record.lockouts);
    const failures = record.wrong.size;
    record.wrong.clear();
    record.lockouts += 1;
    record.lockedUntil = now + forMs;
    return { ...subject, forMs, failures };
  }

  #recordOf(subject: Subject, now: number): Record {
    const name = nameOf(subject);
    const known = this.#subjects.get(name);
    this.#subjects.delete(name);
    const record =
      known && now - known.lastAt <= FORGIVEN
        ? known
        : { wrong: new Map<string, number>(), lockedUntil: 0, lockouts: 0, lastAt: now };
    // The latest at the end: the first one is the one to go.
    this.#subjects.set(name, record);
    if (this.#subjects.size > REMEMBERED) this.#subjects.delete(this.#subjects.keys().next().value!);
    return record;
  }
}

const nameOf = ({ kind, id }: Subject): string => `${kind} ${id}`;
