import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import { canSwitchOff, healingActions, healingRule, type HealingAction } from '#schemas/healing.ts';
import {
  healingActionView,
  healingParams,
  healingSwitch,
  selfHealingView,
  type HealingActionView,
} from '#schemas/http/self-healing.ts';
import type { HealingRecord } from '#services/control/healing-actions.ts';
import { actorOf, type App, type GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { replies, words } from '../schema.ts';

/** What is done without anybody asking for it: whether it may be, how often it was, why. */
export function selfHealingRoutes(app: App, deps: GatewayDeps): void {
  app.get(
    '/api/self-healing',
    {
      schema: {
        ...words(
          'Self-healing',
          'What is done by itself',
          'Each action: what it does and about what, whether it is switched on, how often it was done, and why the last time.',
        ),
        response: replies({ 200: selfHealingView }),
      },
    },
    async ({ control }) => {
      const records = await control.healing.all();
      return { actions: healingActions.map((action) => viewOf(action, records.get(action))) };
    },
  );

  app.patch(
    '/api/self-healing/:action',
    {
      schema: {
        ...words(
          'Self-healing',
          'Switch an action off or on',
          'Takes effect at once, in all processes. Pairs that have failed meanwhile are not resumed by it.',
        ),
        params: healingParams,
        body: healingSwitch,
        response: replies({ 200: healingActionView }),
      },
    },
    (request) => {
      const action = actionOf(request.params.action);
      const { enabled } = request.body;
      const { fixed } = healingRule(action);
      if (!canSwitchOff(action) && !enabled)
        throw new TerraFusionError('CONFLICTING_STATE', `${action} cannot be switched off: ${fixed ?? ''}`);
      return change(deps, request, { entityKind: 'self_healing', verb: 'switch' }, async ({ healing }) => {
        const before = await healing.turn(action, enabled, actorOf(request.principal!));
        const result = viewOf(action, (await healing.all()).get(action));
        return { entityId: action, before: { enabled: before }, after: { enabled }, result };
      });
    },
  );
}

/** @throws {TerraFusionError} NOT_FOUND */
function actionOf(name: string): HealingAction {
  const action = healingActions.find((each) => each === name);
  if (action) return action;
  throw new TerraFusionError('NOT_FOUND', `There is no action "${name}"; there are ${healingActions.join(', ')}`);
}

function viewOf(action: HealingAction, record: HealingRecord | undefined): HealingActionView {
  const { what, when, off, fixed } = healingRule(action);
  const last = record?.last;
  return {
    action,
    what,
    when,
    enabled: record?.enabled ?? true,
    can_switch_off: canSwitchOff(action),
    off: off ?? null,
    fixed: fixed ?? null,
    switched_at: record?.switchedAt?.toISOString() ?? null,
    switched_by: record?.switchedBy ?? null,
    times: record?.times ?? 0,
    since: record && record.times > 0 ? record.countedSince.toISOString() : null,
    last: last
      ? {
          at: last.at.toISOString(),
          subject: last.subject,
          code: (last.code as ErrorCode | undefined) ?? null,
          message: last.message,
          by: last.by,
        }
      : null,
  };
}
