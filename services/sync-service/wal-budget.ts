import type { SlotStatus } from '#connectors/contract/source.ts';
import type { ErrorCode } from '#schemas/errors.ts';
import type { WalBudgetLevel } from '#schemas/slots.ts';

/** Growth is measured over the last minutes: longer tells more evenly, shorter tells sooner. */
const WINDOW_MS = 5 * 60_000;
/** From this part of the budget on it is an alarm; it ends a little lower, so that it does not come and go. */
const NEAR = 0.6;
const NEAR_NO_MORE = 0.5;
/** At the present rate used up within this time it is one too, once a good part is used. */
const SOON_S = 15 * 60;
const SOON = 0.25;

/** What the source may keep for the slot, and how long that lasts. */
export interface WalBudget {
  readonly level: WalBudgetLevel;
  readonly budgetBytes: number;
  /** Whether the source's own limit is the smaller one, and counts. */
  readonly ofSource: boolean;
  readonly bytesPerSecond: number | undefined;
  readonly secondsLeft: number | undefined;
}

interface Sample {
  readonly at: number;
  readonly retained: number;
}

/**
 * Promise 7: WAL kept for us has a budget and an alarm before it matters. Fed with looks at the slot, it tells how near the budget is,
 * how fast what is kept grows, and how long it lasts at that.
 */
export class WalBudgetWatch {
  #samples: Sample[] = [];
  #level: WalBudgetLevel;

  /** @param level as it was told last: what was told before a restart is not told again */
  constructor(level: WalBudgetLevel = 'ok') {
    this.#level = level;
  }

  /** @param at milliseconds that never run backwards */
  look(slot: SlotStatus, at: number, settingBytes: number): WalBudget {
    const { retainedBytes: retained, safeBytes, limitBytes } = slot;
    const ofSource = limitBytes !== undefined && limitBytes < settingBytes;
    const budgetBytes = ofSource ? limitBytes : settingBytes;
    if (retained === undefined) {
      // Lost or missing: nothing is kept any more.
      this.#samples = [];
      this.#level = 'ok';
      return { level: 'ok', budgetBytes, ofSource, bytesPerSecond: undefined, secondsLeft: undefined };
    }
    const bytesPerSecond = this.#rate({ at, retained });
    const left = Math.max(0, Math.min(budgetBytes - retained, safeBytes ?? Infinity));
    const secondsLeft =
      bytesPerSecond === undefined || bytesPerSecond <= 0 ? undefined : Math.round(left / bytesPerSecond);
    this.#level = this.#levelOf(retained / budgetBytes, left, secondsLeft);
    return { level: this.#level, budgetBytes, ofSource, bytesPerSecond, secondsLeft };
  }

  #rate(now: Sample): number | undefined {
    // A slot that has moved begins anew: what it kept before says nothing about how fast it fills now.
    if ((this.#samples.at(-1)?.retained ?? 0) > now.retained) this.#samples = [];
    this.#samples.push(now);
    while (this.#samples.length > 2 && this.#samples[1]!.at <= now.at - WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0]!;
    return first.at === now.at ? undefined : ((now.retained - first.retained) / (now.at - first.at)) * 1000;
  }

  #levelOf(used: number, left: number, secondsLeft: number | undefined): WalBudgetLevel {
    if (used >= 1 || left <= 0) return 'over';
    const near = this.#level === 'ok' ? NEAR : NEAR_NO_MORE;
    if (used >= near) return 'near';
    return used >= SOON && secondsLeft !== undefined && secondsLeft < SOON_S ? 'near' : 'ok';
  }
}

const codes: Readonly<Record<Exclude<WalBudgetLevel, 'ok'>, ErrorCode>> = {
  near: 'SOURCE_WAL_NEAR_BUDGET',
  over: 'SOURCE_WAL_OVER_BUDGET',
};

/**
 * What an operator should know; undefined while all is well.
 * @param trouble of the reader: code and message of what keeps it from reading
 */
export function describeBudget(
  name: string,
  slot: SlotStatus,
  budget: WalBudget,
  trouble?: { readonly code: string; readonly message: string },
): { readonly code: ErrorCode; readonly message: string } | undefined {
  if (budget.level === 'ok') return undefined;
  const { retainedBytes = 0 } = slot;
  const { budgetBytes, ofSource, bytesPerSecond, secondsLeft } = budget;
  const whose = ofSource ? 'that its max_slot_wal_keep_size allows' : 'of its budget';
  const used = `The source keeps ${bytesText(retainedBytes)} of WAL for slot ${name}, ${Math.round((100 * retainedBytes) / budgetBytes)} % of the ${bytesText(budgetBytes)} ${whose}`;
  const growth =
    secondsLeft === undefined || bytesPerSecond === undefined
      ? undefined
      : `it grows by ${bytesText(bytesPerSecond)} a second, which leaves ${durationText(secondsLeft)}`;
  return {
    code: codes[budget.level],
    message: [growth === undefined ? used : `${used}; ${growth}`, causeOf(slot, trouble)].join('. '),
  };
}

function causeOf(slot: SlotStatus, trouble: { readonly code: string; readonly message: string } | undefined): string {
  const { confirmed, currentLsn, retainedBytes = 0 } = slot;
  const behind = confirmed === undefined ? retainedBytes : Number(currentLsn - confirmed);
  // What we have stored is confirmed; what is kept all the same is kept for a transaction that has not ended.
  if (behind * 2 < retainedBytes) return 'A transaction that is still open at the source holds it';
  if (trouble !== undefined) return `Reading waits (${trouble.code}: ${trouble.message})`;
  return slot.active ? 'The reader is behind' : 'Nobody reads from it';
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit]!}`;
}

function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds} seconds`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} minutes`;
  return `${Math.round(seconds / 3600)} hours`;
}
