import type { SystemSlotView } from '#schemas/http/system-slots.ts';
import type { SystemCheckReport, SystemView } from '#schemas/http/systems.ts';
import { get, patch, post, remove, type AskOptions } from '../app/client.ts';
import type { ListPage } from '../app/hooks.ts';
import { pathOf, withQuery } from '../app/paths.ts';

const one = (system: string): string => pathOf('/api/systems/:system', { system });

export interface SystemFilter {
  readonly kind?: string | undefined;
  readonly environment?: string | undefined;
  readonly text?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number;
}

export const listSystems = (filter: SystemFilter, options?: AskOptions): Promise<ListPage<SystemView>> =>
  get(withQuery('/api/systems', { ...filter }), options);

export const readSystem = (system: string, options?: AskOptions): Promise<SystemView> => get(one(system), options);

/** What a POST takes; a PATCH takes the same without the connector. */
export interface SystemWritten {
  readonly name: string;
  readonly kind: SystemView['kind'];
  readonly environment: SystemView['environment'];
  readonly connector: string;
  readonly connection: Readonly<Record<string, unknown>>;
  readonly wal_budget_bytes?: number | undefined;
  readonly on_wal_budget: SystemView['on_wal_budget'];
}

export const registerSystem = (system: SystemWritten): Promise<SystemView> => post('/api/systems', system);

export const changeSystem = (
  system: string,
  change: Omit<SystemWritten, 'connector' | 'wal_budget_bytes'> & { readonly wal_budget_bytes: number | null },
): Promise<SystemView> => patch(one(system), change);

export const removeSystem = (system: string): Promise<void> => remove(one(system));

export const checkSystem = (
  system: string,
  as: 'source' | 'target',
  options?: AskOptions,
): Promise<SystemCheckReport> => post(`${one(system)}/check`, { as }, options);

export const listSlots = (
  system: string,
  cursor: string | undefined,
  options?: AskOptions,
): Promise<ListPage<SystemSlotView>> => get(withQuery(`${one(system)}/slots`, { cursor }), options);

export const dropSlot = (system: string, slot: SystemSlotView): Promise<void> =>
  remove(
    withQuery(pathOf('/api/systems/:system/slots/:slot', { system, slot: slot.name }), {
      other_installation: slot.kind === 'other_installation' || undefined,
    }),
  );
