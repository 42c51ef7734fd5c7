import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { PairSummary } from '#schemas/http/pairs.ts';
import type { SyncServiceHealth } from '#schemas/http/sync-service.ts';
import type { OpenAlert } from '#services/control/alerts.ts';
import type { ComponentRecord } from '#services/control/components.ts';
import type { Control } from '#services/control/control.ts';
import type { SlotAlarm } from '#services/control/source-slots.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { GatewayDeps } from '../gateway.ts';
import { PATIENCE, within, type PatientDatabase } from '../patience.ts';
import { pairSummary } from '../views.ts';

/** What the control database says of everything. */
export interface Known {
  /** ms since 1970. */
  readonly at: number;
  readonly pairs: readonly PairSummary[];
  readonly byState: Readonly<Record<string, number>>;
  readonly components: readonly ComponentRecord[];
  readonly slots: readonly SlotAlarm[];
  readonly waiting: readonly {
    readonly source: string;
    readonly code: string;
    readonly message: string;
    readonly fix: string;
  }[];
  readonly removals: readonly { readonly id: string; readonly message: string; readonly fix: string }[];
  /** What is done by itself, as long as nobody has switched it off: these are. */
  readonly healingOff: readonly string[];
  readonly alerts: readonly OpenAlert[];
}

export interface Attempt<T> {
  readonly value: T | undefined;
  readonly error: TerraFusionError | undefined;
  /** How long it took, in ms. */
  readonly ms: number;
}

/** What can be had of the control database and the sync-service now: a part that is down is told, not waited for. */
export interface Facts {
  readonly database: Attempt<Known>;
  readonly health: Attempt<SyncServiceHealth>;
}

export async function readFacts(
  { control, syncService, clock }: Pick<GatewayDeps, 'control' | 'syncService' | 'clock'>,
  patient: PatientDatabase,
): Promise<Facts> {
  const [database, health] = await Promise.all([
    attempt(clock, () => patient.ask(() => readKnown(control, clock), PATIENCE)),
    attempt(clock, () => within(clock, PATIENCE, unanswered, () => syncService.health())),
  ]);
  return { database, health };
}

async function readKnown(control: Control, clock: Clock): Promise<Known> {
  const at = clock.now();
  const { items } = await control.pairs.list({}, { limit: 1000 });
  return {
    at,
    pairs: items.map((pair) => pairSummary(pair, at)),
    byState: await control.pairs.countByState(),
    components: await control.components.list(),
    slots: await control.sourceSlots.alarms(),
    waiting: await control.sourceStatuses.waiting(),
    removals: await control.pairs.stuckRemovals(),
    healingOff: [...(await control.healing.switchedOff())],
    alerts: await control.alerts.open(),
  };
}

async function attempt<T>(clock: Clock, work: () => Promise<T>): Promise<Attempt<T>> {
  const begun = clock.monotonic();
  try {
    return { value: await work(), error: undefined, ms: clock.monotonic() - begun };
  } catch (error) {
    return { value: undefined, error: asTerraFusionError(error), ms: clock.monotonic() - begun };
  }
}

const unanswered = (): TerraFusionError =>
  new TerraFusionError('SERVICE_UNAVAILABLE', `The sync-service does not answer within ${PATIENCE / 1000} seconds`);
