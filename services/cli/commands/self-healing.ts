import { TerraFusionError } from '#schemas/errors.ts';
import { healingActionView, selfHealingView, type HealingActionView } from '#schemas/http/self-healing.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { facts, json, moment, table, type Terminal } from '../output.ts';
import { printable } from '../text.ts';
import { confirmed } from '../usage.ts';
import { pathOf } from './pages.ts';

const LIST = '/api/self-healing';

/** `terrafusion self-healing` */
export async function selfHealing(client: GatewayClient, terminal: Terminal, asJson: boolean): Promise<number> {
  const answer = await client.get(LIST, selfHealingView);
  terminal.out(asJson ? json(answer) : actionTable(answer.actions, terminal));
  return exitCodes.OK;
}

/** `terrafusion self-healing show` */
export async function showSelfHealing(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  action: string,
): Promise<number> {
  const found = await one(client, action);
  terminal.out(asJson ? json(found) : actionText(found));
  return exitCodes.OK;
}

export interface SwitchOptions {
  readonly action: string;
  readonly enabled: boolean;
  /** Without asking first. */
  readonly yes: boolean;
}

/** `terrafusion self-healing off` and `on` */
export async function switchSelfHealing(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { action, enabled, yes }: SwitchOptions,
): Promise<number> {
  if (!enabled) {
    const { off } = await one(client, action);
    if (!(await confirmed(terminal, `${printable(off ?? '')}\nSwitch ${action} off?`, yes))) return exitCodes.FAILED;
  }
  const now = await client.send('PATCH', pathOf(LIST, action), { enabled }, healingActionView);
  terminal.out(asJson ? json(now) : `${now.action} is switched ${now.enabled ? 'on' : 'off'}.\n`);
  if (!asJson && enabled) terminal.err('Pairs that have failed meanwhile are resumed with: terrafusion pairs resume\n');
  return exitCodes.OK;
}

/** @throws {TerraFusionError} NOT_FOUND when the gateway is older, and does not know it */
async function one(client: GatewayClient, action: string): Promise<HealingActionView> {
  const { actions } = await client.get(LIST, selfHealingView);
  const found = actions.find((each) => each.action === action);
  if (found) return found;
  throw new TerraFusionError('NOT_FOUND', `The gateway does not know ${action}`);
}

function actionTable(actions: readonly HealingActionView[], terminal: Terminal): string {
  return table(
    actions,
    [
      { title: 'ACTION', value: ({ action }) => action },
      { title: 'STATE', value: stateOf },
      { title: 'TIMES', value: ({ times }) => String(times) },
      { title: 'LAST', value: ({ last }) => moment(last?.at ?? null) },
      { title: 'ABOUT', value: ({ last }) => last?.subject ?? '-', flexible: true },
      { title: 'WHY', value: ({ last }) => last?.code ?? last?.message ?? '-', flexible: true },
    ],
    terminal,
  );
}

const stateOf = ({ enabled, can_switch_off: can }: HealingActionView): string =>
  enabled ? (can ? 'on' : 'on, fixed') : 'off';

function actionText(action: HealingActionView): string {
  const { last } = action;
  return facts([
    ['action', action.action],
    ['does', action.what],
    ['when', action.when],
    ['state', stateOf(action)],
    ...(action.off === null ? [] : [['off means', action.off] as const]),
    ...(action.fixed === null ? [] : [['fixed', action.fixed] as const]),
    ...(action.switched_at === null
      ? []
      : [['switched', `${moment(action.switched_at)} by ${action.switched_by ?? 'nobody knows'}`] as const]),
    ['done', action.since === null ? 'never' : `${action.times} times since ${moment(action.since)}`],
    ...(last === null
      ? []
      : [
          ['last', `${moment(last.at)} by the ${last.by}`] as const,
          ['about', last.subject] as const,
          ['why', last.code === null ? last.message : `${last.code}: ${last.message}`] as const,
        ]),
  ]);
}
