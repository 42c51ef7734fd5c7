import type { Clock } from '#connectors/contract/context.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { maskFields } from '#services/kernel/masking.ts';
import type { FieldChange } from '../apply/differences.ts';
import { exitCodeOfAll, perform, type Outcome } from '../apply/perform.ts';
import { makePlan, type Step } from '../apply/plan.ts';
import { readApplyFile } from '../apply/read-file.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { count, counted, json, paint, type Terminal } from '../output.ts';
import { cut, printable } from '../text.ts';
import { confirmed } from '../usage.ts';

/** How long systems wait for pairs that are being removed, in ms. */
const REMOVAL = 120_000;

export interface ApplyOptions {
  readonly file: string;
  /** Only the plan; the exit code says whether there is something to do. */
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly prune: boolean;
  readonly secrets: boolean;
}

/** `terrafusion apply`: makes the gateway as the file says: shows what that means, asks, does it. */
export async function apply(
  openGateway: () => Promise<GatewayClient>,
  terminal: Terminal,
  asJson: boolean,
  { file, dryRun, yes, prune, secrets }: ApplyOptions,
  { env = process.env, clock = systemClock }: { readonly env?: NodeJS.ProcessEnv; readonly clock?: Clock } = {},
): Promise<number> {
  const wanted = await readApplyFile(file, terminal, env);
  const client = await openGateway();
  const steps = await makePlan(wanted, client, { prune, secrets });
  const changing = steps.filter(({ action }) => action !== 'unchanged');
  if (!asJson) terminal.out(planText(steps, terminal));
  if (dryRun || changing.length === 0) {
    if (asJson) terminal.out(json(report(steps, undefined)));
    return changing.length === 0 ? exitCodes.OK : exitCodes.CHANGES;
  }
  const question = `${counted(changing.length, 'change')} to ${client.url}: go on?`;
  if (!(await confirmed(terminal, question, yes))) return exitCodes.FAILED;

  const outcomes = await perform(changing, {
    client,
    clock,
    removalMs: REMOVAL,
    onEnd: (step, outcome) => {
      if (!asJson) terminal.out(outcomeText(step, outcome, terminal));
    },
  });
  if (asJson) terminal.out(json(report(steps, new Map(changing.map((step, index) => [step, outcomes[index]!])))));
  else terminal.out(summary(outcomes, terminal));
  return exitCodeOfAll(outcomes);
}

const marks = { create: '+', change: '~', delete: '-', unchanged: ' ' } as const;
const colours = { create: 'green', change: 'yellow', delete: 'red', unchanged: 'gray' } as const;
const verbs = {
  create: 'is made',
  change: 'is changed',
  delete: 'is removed',
  unchanged: 'is as it should be',
} as const;

/** What is to be done, with every field that changes; what stays is counted. */
function planText(steps: readonly Step[], terminal: Terminal): string {
  const changing = steps.filter(({ action }) => action !== 'unchanged');
  const unchanged = steps.length - changing.length;
  if (changing.length === 0) return `Nothing to change: ${counted(unchanged, 'thing')} as the file says.\n`;
  const lines = changing.map((step) => {
    const head = `${marks[step.action]} ${step.kind} ${step.name} ${verbs[step.action]}`;
    const fields = step.action === 'change' ? step.changes.map((change) => fieldText(change, terminal)) : [];
    return `${paint(terminal, colours[step.action], head)}\n${fields.join('')}${reloads(step)}`;
  });
  return `${lines.join('')}\n${tally(steps)}\n`;
}

function fieldText({ path, before, after }: FieldChange, terminal: Terminal): string {
  const text = `    ${printable(path)}: ${shown(before)} → ${shown(after)}`;
  return `${terminal.isTty ? cut(text, terminal.columns) : text}\n`;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return '(none)';
  return printable(typeof value === 'string' ? JSON.stringify(value) : JSON.stringify(maskFields(value)));
}

/** What a changed table costs. */
function reloads(step: Step): string {
  if (step.action !== 'change' || step.kind !== 'pair' || step.seen.state === 'created') return '';
  const tables = step.changes.some(({ path, after }) => path.startsWith('tables') && after !== undefined);
  return tables ? '    Tables that are new, or brought in another way, are loaded (anew) beside the stream.\n' : '';
}

function tally(steps: readonly Step[]): string {
  const of = (action: Step['action']): number => steps.filter((step) => step.action === action).length;
  return `${count(of('create'))} to make, ${count(of('change'))} to change, ${count(of('delete'))} to remove, ${count(of('unchanged'))} as they should be.`;
}

function outcomeText(step: Step, outcome: Outcome, terminal: Terminal): string {
  const what = `${step.kind} ${step.name}`;
  switch (outcome.result) {
    case 'done':
      return `${paint(terminal, 'green', 'done  ')}  ${what} ${step.action === 'delete' ? 'removed' : step.action === 'create' ? 'made' : 'changed'}\n`;
    case 'failed': {
      const { code, message, fix } = outcome.error;
      return `${paint(terminal, 'red', 'FAILED')}  ${what}: ${code}: ${printable(message)}\n        ${printable(fix)}\n`;
    }
    case 'not_tried':
      return `${paint(terminal, 'yellow', 'waits ')}  ${what}: ${outcome.because}\n`;
  }
}

function summary(outcomes: readonly Outcome[], terminal: Terminal): string {
  const of = (result: Outcome['result']): number => outcomes.filter((outcome) => outcome.result === result).length;
  if (of('done') === outcomes.length) return `${counted(outcomes.length, 'change')} made.\n`;
  const text = `${count(of('done'))} done, ${count(of('failed'))} failed, ${count(of('not_tried'))} not tried.`;
  return `${paint(terminal, 'red', text)} Mend the reason and apply the file again: only what is missing is done.\n`;
}

/** The same for programs. */
function report(steps: readonly Step[], outcomes: ReadonlyMap<Step, Outcome> | undefined): object {
  const changing = steps.filter(({ action }) => action !== 'unchanged');
  return {
    changes: changing.length,
    steps: steps.map((step) => {
      const outcome = outcomes?.get(step);
      const { action, kind, name } = step;
      return {
        action,
        kind,
        name,
        fields:
          step.action === 'change'
            ? step.changes.map(({ path, before = null, after = null }) => ({ path, before, after }))
            : [],
        result: outcome?.result ?? (action === 'unchanged' ? 'unchanged' : 'planned'),
        error: outcome?.result === 'failed' ? outcome.error : null,
      };
    }),
  };
}
