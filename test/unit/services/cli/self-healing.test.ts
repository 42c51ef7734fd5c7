import { beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { healingActionView, type HealingActionView } from '#schemas/http/self-healing.ts';
import { selfHealing, showSelfHealing, switchSelfHealing } from '#services/cli/commands/self-healing.ts';
import type { GatewayClient } from '#services/cli/gateway-client.ts';
import { RecordingTerminal } from './recording-terminal.ts';

/** What a gateway answers, by the API's own documentation. */
const { example } = z.globalRegistry.get(healingActionView) as { example: HealingActionView };
const fixed: HealingActionView = {
  ...{ ...example, action: 'keep_reading', can_switch_off: false, off: null, fixed: 'Its disk', last: null },
};
let sent: unknown[];

beforeEach(() => {
  sent = [];
});

const client = {
  get: (path: string, schema: z.ZodType) => {
    expect(path).toBe('/api/self-healing');
    return Promise.resolve(schema.parse({ actions: [example, fixed] }));
  },
  send: (method: string, path: string, body: { enabled: boolean }, schema: z.ZodType) => {
    sent.push([method, path, body]);
    return Promise.resolve(schema.parse({ ...example, ...body }));
  },
} as unknown as GatewayClient;

test('the list tells of each action its state, how often it was done, about what and why', async () => {
  const terminal = new RecordingTerminal();
  expect(await selfHealing(client, terminal, false)).toBe(0);
  expect(terminal.stdout).toMatch(/^ACTION +STATE +TIMES +LAST +ABOUT +WHY\n/);
  expect(terminal.stdout).toMatch(/restart_stage +on +3 +2026-01-31 08:15:30 +pacs-to-cama +TARGET_UNREACHABLE\n/);
  expect(terminal.stdout).toMatch(/keep_reading +on, fixed +3 +- +- +-\n/);
  const asJson = new RecordingTerminal();
  await selfHealing(client, asJson, true);
  expect(JSON.parse(asJson.stdout)).toEqual({ actions: [example, fixed] });
});

test('one action is told with what it does, what off means, and the reason of the last time', async () => {
  const terminal = new RecordingTerminal();
  expect(await showSelfHealing(client, terminal, false, 'restart_stage')).toBe(0);
  expect(terminal.stdout).toMatch(/off means +The pair, .* fails with HEALING_SWITCHED_OFF/);
  expect(terminal.stdout).toMatch(/done +3 times since 2026-01-30 22:10:04\n/);
  expect(terminal.stdout).toMatch(/why +TARGET_UNREACHABLE: Could not connect/);
  const other = new RecordingTerminal();
  await showSelfHealing(client, other, false, 'keep_reading');
  expect(other.stdout).toMatch(/fixed +Its disk\n/);
  await expect(showSelfHealing(client, terminal, false, 'newer')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('an action is switched off once somebody has agreed to what that means, and on without being asked', async () => {
  const wish = { action: 'restart_stage', enabled: false, yes: false };
  const refusing = new RecordingTerminal({ answers: ['n'] });
  expect(await switchSelfHealing(client, refusing, false, wish)).toBe(1);
  expect(refusing.stderr).toContain('fails with HEALING_SWITCHED_OFF');
  expect(sent).toEqual([]);

  const terminal = new RecordingTerminal();
  expect(await switchSelfHealing(client, terminal, false, { ...wish, yes: true })).toBe(0);
  expect(terminal.stdout).toBe('restart_stage is switched off.\n');
  expect(await switchSelfHealing(client, terminal, false, { ...wish, enabled: true, yes: true })).toBe(0);
  const path = '/api/self-healing/restart_stage';
  expect(sent).toEqual([
    ['PATCH', path, { enabled: false }],
    ['PATCH', path, { enabled: true }],
  ]);
  expect(terminal.stderr).toContain('pairs resume');
});
