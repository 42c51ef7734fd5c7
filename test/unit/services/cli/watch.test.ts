import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { createView } from '#services/cli/commands/live-view.ts';
import { watchStatus } from '#services/cli/commands/status.ts';
import type { GatewayClient } from '#services/cli/gateway-client.ts';
import { statusView, type StatusView } from '#schemas/http/status.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { z as zod } from 'zod';
import { RecordingTerminal } from './recording-terminal.ts';

const seen = (zod.globalRegistry.get(statusView) as unknown as { example: StatusView }).example;

function watch(looks: readonly (StatusView | TerraFusionError)[], terminal: RecordingTerminal, asJson = false) {
  const stop = new AbortController();
  const clock = new ManualClock();
  let look = 0;
  const client = {
    get: (_path: string, schema: z.ZodType) => {
      const next = looks[look++];
      // The last look has been shown: as Ctrl-C would.
      if (look >= looks.length) stop.abort();
      return next instanceof TerraFusionError ? Promise.reject(next) : Promise.resolve(schema.parse(next));
    },
  } as unknown as GatewayClient;
  const done = watchStatus(client, terminal, asJson, { everyS: 2, signal: stop.signal }, clock);
  return { done, clock };
}

const away = new TerraFusionError('GATEWAY_UNREACHABLE', 'No gateway can be reached at http://here (ECONNREFUSED)');

describe('watching the status', () => {
  test('on a terminal redraws in one place, survives a gateway that is away, and leaves the terminal as it was', async () => {
    const terminal = new RecordingTerminal({ isTty: true });
    const { done, clock } = watch([seen, away, { ...seen, state: 'degraded' }], terminal);
    await clock.elapse(4000);
    expect(await done).toBe(0);
    const [before, ...pictures] = terminal.stdout.split('\u001b[H');
    expect(before).toBe('\u001b[?1049h\u001b[?25l\u001b[?7l');
    expect(pictures).toHaveLength(3);
    expect(pictures[0]).toMatch(/ is up\.\u001b\[K\n/);
    expect(pictures[1]).toMatch(/^GATEWAY_UNREACHABLE: No gateway/);
    expect(pictures[2]).toContain('\u001b[J\u001b[?7h\u001b[?25h\u001b[?1049l');
    expect(pictures[2]!.endsWith('Running\n')).toBe(true);
  });

  test('elsewhere writes one picture after the other, for programs a line of JSON each', async () => {
    const plain = new RecordingTerminal();
    const first = watch([seen, seen], plain);
    await first.clock.elapse(2000);
    await first.done;
    expect(plain.stdout.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\nTerraFusion Sync/gm)).toHaveLength(2);
    expect(plain.stdout).not.toContain('\u001b');

    const lines = new RecordingTerminal();
    const second = watch([seen, away], lines, true);
    await second.clock.elapse(2000);
    await second.done;
    const told = lines.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(told).toMatchObject([{ state: 'up' }, { error: { code: 'GATEWAY_UNREACHABLE' } }]);
  });

  test('ends at once where looking again cannot help', async () => {
    const terminal = new RecordingTerminal({ isTty: true });
    const refused = new TerraFusionError('UNAUTHENTICATED', 'The API key is unknown');
    await expect(watch([refused, seen], terminal).done).rejects.toBe(refused);
    expect(terminal.stdout).toContain('\u001b[?1049l');
  });

  test('a picture higher than the terminal is cut, and says so', () => {
    const terminal = new RecordingTerminal({ isTty: true, rows: 5 });
    using view = createView(terminal, false);
    view.show('1\n2\n3\n4\n5\n6\n7\n');
    expect(terminal.stdout).toContain('3\u001b[K\n… 4 more lines\u001b[K\n\u001b[J');
  });
});
