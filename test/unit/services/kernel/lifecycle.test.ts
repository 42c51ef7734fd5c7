import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { exitCodes, main, run, type ProcessLike } from '#services/kernel/lifecycle.ts';

class FakeProcess extends EventEmitter implements ProcessLike {
  exitCode: number | undefined;
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

function collectingLog() {
  const lines: string[] = [];
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message}${'code' in fields ? ` ${String(fields.code)}` : ''}`);
  };
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

function untilStopped(drained: Promise<unknown> = Promise.resolve()) {
  return {
    run: async (signal: AbortSignal) => {
      await once(signal, 'abort');
      await drained;
    },
  };
}

describe('run', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each(['SIGINT', 'SIGTERM'])('%s drains, and ends well', async (signal) => {
    const host = new FakeProcess();
    const running = run(untilStopped(), { log: collectingLog(), drainWithinMs: 1000, process: host });
    host.emit(signal, signal);
    await running;
    expect(host.exitCode).toBe(exitCodes.OK);
    expect(host.exits).toEqual([]);
  });

  test('work that is done ends well, work that rejects with the reason of the stop too', async () => {
    const host = new FakeProcess();
    await run({ run: async () => {} }, { log: collectingLog(), drainWithinMs: 1000, process: host });
    expect(host.exitCode).toBe(exitCodes.OK);
    const stopped = new FakeProcess();
    const running = run(
      {
        run: async (signal) => {
          await once(signal, 'abort');
          throw signal.reason;
        },
      },
      { log: collectingLog(), drainWithinMs: 1000, process: stopped },
    );
    stopped.emit('SIGTERM', 'SIGTERM');
    await running;
    expect(stopped.exitCode).toBe(exitCodes.OK);
  });

  test('a second signal ends at once, also while things are being closed', async () => {
    const host = new FakeProcess();
    const drained = Promise.withResolvers<undefined>();
    const running = run(untilStopped(drained.promise), { log: collectingLog(), drainWithinMs: 1000, process: host });
    host.emit('SIGINT', 'SIGINT');
    host.emit('SIGINT', 'SIGINT');
    expect(host.exits).toEqual([exitCodes.INTERRUPTED]);
    drained.resolve(undefined);
    await running;
    host.emit('SIGTERM', 'SIGTERM');
    expect(host.exits).toEqual([exitCodes.INTERRUPTED, exitCodes.INTERRUPTED]);
  });

  test('draining that takes too long is cut off', async () => {
    const host = new FakeProcess();
    const log = collectingLog();
    const drained = Promise.withResolvers<undefined>();
    const running = run(untilStopped(drained.promise), { log, drainWithinMs: 1000, process: host });
    host.emit('SIGTERM', 'SIGTERM');
    await vi.advanceTimersByTimeAsync(999);
    expect(host.exits).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(host.exits).toEqual([exitCodes.FAILED]);
    expect(log.lines.at(-1)).toMatch(/^error Stopping took too long/);
    drained.resolve(undefined);
    await running;
  });

  test.each([
    ['CONFIG_INVALID', exitCodes.CONFIG],
    ['PORT_IN_USE', exitCodes.FAILED],
    ['INTERNAL', exitCodes.DEFECT],
  ] as const)('an error is logged once, with its code: %s', async (code, exitCode) => {
    const host = new FakeProcess();
    const log = collectingLog();
    await run(
      { run: () => Promise.reject(new TerraFusionError(code, 'went wrong')) },
      { log, drainWithinMs: 1000, process: host },
    );
    expect(host.exitCode).toBe(exitCode);
    expect(log.lines).toEqual([`error went wrong ${code}`]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(host.exits).toEqual([exitCodes.FAILED]);
  });

  test('what nobody handles is logged once and ends the process', async () => {
    const host = new FakeProcess();
    const log = collectingLog();
    const running = run(untilStopped(), { log, drainWithinMs: 1000, process: host });
    host.emit('unhandledRejection', new Error('one'));
    host.emit('uncaughtException', new Error('two'));
    expect(host.exits).toEqual([exitCodes.DEFECT]);
    expect(log.lines).toEqual(['error An error that nobody handles ends the process.']);
    host.emit('SIGTERM', 'SIGTERM');
    await running;
  });
});

describe('main', () => {
  test('turns an error on the way up into a line with the fix', async () => {
    const host = new FakeProcess();
    let printed = '';
    await main(() => Promise.reject(new TerraFusionError('PORT_IN_USE', 'port 1 at postgresql://u:hunter2@h')), {
      host,
      print: (text) => (printed += text),
    });
    expect(printed).toMatch(/^PORT_IN_USE: port 1 at postgresql:\/\/u:\[secret\]@h\nStop the program/);
    expect(host.exitCode).toBe(exitCodes.FAILED);
  });
});

test('a real process stops on SIGTERM, closing what it opened', async () => {
  const module = new URL('../../../../services/kernel/lifecycle.ts', import.meta.url).href;
  const script = `
    import { once } from 'node:events';
    const { main, run } = await import(${JSON.stringify(module)});
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    await main(async () => {
      await using stack = new AsyncDisposableStack();
      stack.defer(() => void console.log('closed'));
      const alive = setInterval(() => {}, 1000);
      await run({ run: async (signal) => { console.log('running'); await once(signal, 'abort'); clearInterval(alive); console.log('drained'); } }, { log, drainWithinMs: 5000 });
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (out === 'running\n') child.kill('SIGTERM');
  });
  const [code] = (await once(child, 'close')) as [number];
  expect({ code, out }).toEqual({ code: 0, out: 'running\ndrained\nclosed\n' });
});
