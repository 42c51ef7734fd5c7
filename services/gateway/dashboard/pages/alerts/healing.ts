import type { HealingActionView } from '#schemas/http/self-healing.ts';
import { words } from '../../format.ts';

/** "restart_stage" → "Restart stage" */
export function actionName({ action }: Pick<HealingActionView, 'action'>): string {
  const name = words(action);
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** How a switch stands, and how much that is to be seen. */
export function switchState({ enabled, can_switch_off: can }: Pick<HealingActionView, 'enabled' | 'can_switch_off'>): {
  readonly label: string;
  readonly tone: 'good' | 'calm' | 'bad';
} {
  if (!enabled) return { label: 'off', tone: 'bad' };
  return can ? { label: 'on', tone: 'good' } : { label: 'always on', tone: 'calm' };
}

/** Why it was done the last time: the code says it shortest. */
export function whyText({ last }: Pick<HealingActionView, 'last'>): string | undefined {
  if (last === null) return undefined;
  return last.code === null ? last.message : `${last.code}: ${last.message}`;
}

/** What is off first, then what is done most. */
export function sorted(actions: readonly HealingActionView[]): HealingActionView[] {
  return actions.toSorted((a, b) => Number(a.enabled) - Number(b.enabled) || b.times - a.times);
}
