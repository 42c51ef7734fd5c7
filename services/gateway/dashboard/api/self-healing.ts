import type { HealingActionView, SelfHealingView } from '#schemas/http/self-healing.ts';
import { get, patch, type AskOptions } from '../app/client.ts';
import { pathOf } from '../app/paths.ts';

export const readSelfHealing = (options?: AskOptions): Promise<SelfHealingView> => get('/api/self-healing', options);

/** Takes effect at once. */
export const switchSelfHealing = (action: string, enabled: boolean): Promise<HealingActionView> =>
  patch(pathOf('/api/self-healing/:action', { action }), { enabled });
