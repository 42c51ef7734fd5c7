import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { logs, type LogsOptions } from '#services/cli/commands/logs.ts';
import { Tail } from '#services/cli/logs/files.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { terrafusion } from '#test/support/cli.ts';
import { eventually } from '#test/support/eventually.ts';
import { RecordingTerminal } from './recording-terminal.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-logs-'));
});
afterEach(() => rm(folder, { recursive: true }));

const pairId = '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2';
const line = (time: string, name: string, message: string, fields: object = {}, level = 'info'): string =>
  `${JSON.stringify({ level, time: `2026-03-10T${time}.000Z`, pid: 1, name, ...fields, message })}\n`;

async function fill(): Promise<void> {
  await writeFile(
    join(folder, 'gateway.2026-03-10.log'),
    line('10:00:00', 'gateway', 'A change was made.', { request: 'r-1', pair_id: pairId }) +
      line('10:00:03', 'gateway', 'A request could not be answered.', { request: 'r-2', code: 'X' }, 'warn'),
  );
  await writeFile(
    join(folder, 'sync-service.2026-03-10.log'),
    line('10:00:01', 'sync-service', 'The load of a pair begins.', {
      pair: 'owners',
      pair_id: pairId,
      request: 'r-1',
      operation: 'o-1',
    }) +
      '{"level":"info","time":"2026-03-10T10:00:01.5' +
      '\n' +
      line('10:00:02', 'sync-service', 'It halted.', { unit: `pair:${pairId}` }, 'error') +
      line('10:00:04', 'sync-service', 'Of another.', { pair: 'others' }, 'debug'),
  );
  await writeFile(
    join(folder, 'writer.2026-03-09.1.log'),
    line('09:00:00', 'writer', 'Old.').replace('03-10', '03-09'),
  );
  await writeFile(join(folder, 'notes.txt'), 'not ours\n');
}

async function shown(more: Partial<LogsOptions> = {}, asJson = false) {
  const terminal = new RecordingTerminal();
  await logs(terminal, asJson, { folder, filter: {}, processes: [], last: undefined, follow: undefined, ...more });
  return { messages: terminal.stdout, stderr: terminal.stderr };
}
const ms = (time: string): number => Date.parse(`2026-03-10T${time}Z`);

describe('the log reader', () => {
  test('shows all processes as one, by time, and counts what was cut off', async () => {
    await fill();
    const { messages, stderr } = await shown();
    expect(messages.split('\n').map((each) => each.slice(0, 50))).toEqual([
      '2026-03-09 09:00:00 writer Old.',
      expect.stringContaining('2026-03-10 10:00:00 gateway A change was made.') as string,
      expect.stringContaining('2026-03-10 10:00:01 sync-service The load') as string,
      expect.stringContaining('2026-03-10 10:00:02 sync-service ERROR It halted.') as string,
      expect.stringContaining('2026-03-10 10:00:03 gateway WARN A request') as string,
      expect.stringContaining('2026-03-10 10:00:04 sync-service DEBUG Of another') as string,
      '',
    ]);
    expect(stderr).toBe('1 line could not be read.\n');
  });

  test('narrows down by time, level, process, request, operation, text', async () => {
    await fill();
    const of = async (more: Partial<LogsOptions>): Promise<string[]> =>
      (await shown(more, true)).messages
        .trim()
        .split('\n')
        .filter((each) => each !== '')
        .map((each) => (JSON.parse(each) as { message: string }).message);
    expect(await of({ filter: { since: ms('10:00:03') } })).toEqual([
      'A request could not be answered.',
      'Of another.',
    ]);
    expect(await of({ filter: { until: ms('10:00:00') } })).toEqual(['Old.']);
    expect(await of({ filter: { level: 'warn' } })).toEqual(['It halted.', 'A request could not be answered.']);
    expect(await of({ processes: ['writer'] })).toEqual(['Old.']);
    expect(await of({ filter: { request: 'r-1' } })).toEqual(['A change was made.', 'The load of a pair begins.']);
    expect(await of({ filter: { operation: 'o-1' } })).toEqual(['The load of a pair begins.']);
    expect(await of({ filter: { text: 'HALTED' } })).toEqual(['It halted.']);
    expect(await of({ last: 2 })).toEqual(['A request could not be answered.', 'Of another.']);
  });

  test('of a pair shows also lines that know only its id', async () => {
    await fill();
    const byId = (await shown({ filter: { pair: pairId } })).messages;
    for (const message of ['A change was made.', 'The load', 'It halted.']) expect(byId).toContain(message);
    expect(byId).not.toContain('Of another');
    // By name they are known from the first line on that has both.
    const byName = (await shown({ filter: { pair: 'owners' } })).messages;
    expect(byName).toContain('The load');
    expect(byName).toContain('It halted.');
    expect(byName).not.toContain('Of another');
  });

  test('follows what comes, in files of new days and processes too', async () => {
    await fill();
    const terminal = new RecordingTerminal();
    const clock = new ManualClock();
    const stop = new AbortController();
    const done = logs(
      terminal,
      false,
      { folder, filter: { level: 'info' }, processes: [], last: 1, follow: stop.signal },
      clock,
    );
    await clock.untilSleeping(1);
    expect(terminal.stdout).toMatch(/^\S+ 10:00:03 gateway WARN [^\n]*\n$/);
    await appendFile(join(folder, 'gateway.2026-03-10.log'), `${line('10:00:05', 'gateway', 'New.')}{"half`);
    await writeFile(join(folder, 'reader.2026-03-11.log'), line('10:00:06', 'reader', 'Newer.'));
    clock.advance(300);
    await eventually(() => terminal.stdout.includes('Newer.'), { what: 'the new lines' });
    expect(terminal.stdout.match(/New\./g)).toHaveLength(1);
    expect(terminal.stdout).not.toContain('half');
    stop.abort();
    expect(await done).toBe(0);
  });

  test('what others wrote cannot steer the terminal', async () => {
    await writeFile(
      join(folder, 'gateway.2026-03-10.log'),
      line('10:00:00', 'gateway', 'Evil \u001b[2J.', { pair: '\u001b]0;x\u0007' }),
    );
    expect((await shown()).messages).not.toMatch(/\u001b/);
  });

  test('a file that was begun anew is read from its beginning', async () => {
    const path = join(folder, 'gateway.2026-03-10.log');
    const tail = new Tail(path);
    const read = async (): Promise<string[]> => {
      const messages: string[] = [];
      for await (const { fields } of tail.lines()) messages.push(String(fields['message']));
      return messages;
    };
    expect(await read()).toEqual([]);
    await writeFile(path, line('10:00:00', 'gateway', 'first') + line('10:00:01', 'gateway', 'second'));
    expect(await read()).toEqual(['first', 'second']);
    await writeFile(path, line('10:00:02', 'gateway', 'anew'));
    expect(await read()).toEqual(['anew']);
    expect(await read()).toEqual([]);
  });

  test('as a command takes its folder, and says so when there is none', async () => {
    await fill();
    const { code, stdout } = await terrafusion(['logs', '--folder', folder, '--level', 'error', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ message: 'It halted.' });
    expect(await terrafusion(['logs', '--folder', join(folder, 'nowhere')])).toMatchObject({ code: 78 });
    expect((await terrafusion(['logs', '--level', 'loud'])).code).toBe(64);
  });
});
