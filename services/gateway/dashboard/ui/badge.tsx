import { tone, words, type Tone } from '../format.ts';

export interface BadgeProps {
  /** As the API says it: "catching_up". */
  readonly state: string;
  /** What is shown instead of the state's own words. */
  readonly label?: string;
  readonly tone?: Tone;
  readonly title?: string;
}

/** A state: in words and with a sign, so that nobody has to tell colours apart. */
export function Badge({ state, label = words(state), tone: wanted = tone(state), title }: BadgeProps) {
  return (
    <span class={`badge ${wanted}`} {...(title === undefined ? {} : { title })}>
      {label}
    </span>
  );
}
