import type { ZodType } from 'zod';
import type { Source } from './source.ts';
import type { Target } from './target.ts';

/**
 * A kind of place. One folder and one line in the registry.
 * `Settings` is what an operator writes as `connection`; secrets in it are marked by `secretFields`.
 */
export interface Connector<Settings = unknown> {
  readonly name: string;
  readonly settings: ZodType<Settings>;
  /** Names of settings whose values are secrets: encrypted at rest, never returned. URLs with a password are split before storing. */
  readonly secretFields: readonly string[];
  /** Settings as they may be stored: secrets pulled out of URLs into their own fields. */
  normalise(settings: Settings): Settings;
  /** Names the place that is reached, and as whom; equal for settings that differ only in spelling, secrets and how to connect. */
  place(settings: Settings): string;
  source?(settings: Settings): Source;
  target?(settings: Settings): Target;
}
