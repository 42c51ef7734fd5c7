import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { createLog } from '#services/kernel/log.ts';
import { prettyLine } from '#services/kernel/log-pretty.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-log-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function collector() {
  const lines: string[] = [];
  return {
    lines,
    write: (line: string) => lines.push(line),
    parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('the log', () => {
  test('writes one JSON line with name, level, time, fields and sentence; below the level nothing', async () => {
    const terminal = collector();
    const log = createLog({ name: 'gateway', level: 'info', terminal });
    log.info({ pair: 'a', lsn: 5n }, 'Pair started.');
    log.debug({}, 'unseen');
    expect(terminal.parsed()).toMatchObject([
      { level: 'info', name: 'gateway', pair: 'a', lsn: '5', message: 'Pair started.', pid: process.pid },
    ]);
    expect(terminal.parsed()[0]!.time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  test('no secret gets into a line: fields, nested fields, sentences, errors, children (promise 8)', async () => {
    const terminal = collector();
    const log = createLog({ name: 'gateway', level: 'debug', terminal });
    const leak = 'hunter2';
    log.warn(
      { connection: { password: leak, url: `postgresql://u:${leak}@h/d` }, key: new Secret(leak) },
      `to postgresql://u:${leak}@h/d`,
    );
    log.error(
      {
        error: new TerraFusionError('INTERNAL', `x password=${leak}`, { cause: new Error(`postgresql://u:${leak}@h`) }),
      },
      'Failed.',
    );
    log.error(new Error(`postgresql://u:${leak}@h`), 'Failed again.');
    log.child({ headers: { authorization: leak, 'x-api-key': leak } }).info({}, 'From a child.');
    expect(terminal.lines).toHaveLength(4);
    expect(terminal.lines.join('')).not.toContain(leak);
    expect(terminal.parsed()[1]).toMatchObject({
      error: { code: 'INTERNAL', cause: { message: 'postgresql://u:[secret]@h' } },
    });
  });

  test('children carry the fields of all above them, and a request is logged without its headers', async () => {
    const terminal = collector();
    const log = createLog({ name: 'gateway', level: 'info', terminal });
    const request = { method: 'GET', url: '/x?token=hunter2', headers: { 'x-api-key': 'hunter2' } };
    log
      .child({ pair: 'a' })
      .child({ table: 'b' })
      .info({ req: request, res: { statusCode: 200, headers: {} } }, 'Answered.');
    expect(terminal.parsed()).toMatchObject([
      { pair: 'a', table: 'b', req: { method: 'GET', url: '/x?token=[secret]' }, res: { statusCode: 200 } },
    ]);
    expect(terminal.lines.join()).not.toContain('hunter2');
  });

  test('keeps one file a day, seven days, of its own name only', async () => {
    const old = Array.from({ length: 9 }, (_, index) => `gateway.2020-01-0${index + 1}.1.log`);
    for (const file of [...old, 'gateway-other.2020-01-01.1.log', 'notes.txt'])
      await writeFile(join(folder, file), 'x\n');
    const log = createLog({ name: 'gateway', level: 'info', folder, terminal: false });
    log.info({}, 'First.');
    log.close();
    const again = createLog({ name: 'gateway', level: 'info', folder, terminal: false });
    again.info({}, 'Second.');
    again.close();

    const files = (await readdir(folder)).sort();
    const today = files.filter((file) => /^gateway\.2\d{3}-/.test(file) && !file.includes('2020'));
    expect(today).toHaveLength(1);
    expect((await readFile(join(folder, today[0]!), 'utf8')).trim().split('\n')).toHaveLength(2);
    expect(files.filter((file) => file.startsWith('gateway.2020')).length).toBeLessThanOrEqual(7);
    expect(files).toEqual(expect.arrayContaining(['gateway-other.2020-01-01.1.log', 'notes.txt']));
  });

  test('a pretty line says time, sentence and fields', () => {
    const line = JSON.stringify({
      level: 'warn',
      time: '2026-01-02T03:04:05.678Z',
      name: 'gateway',
      pid: 1,
      slot: 'tf',
      note: 'two words',
      error: { message: 'gone', code: 'SOURCE_UNREACHABLE', stack: 'at …' },
      message: 'Slot is far behind.',
    });
    expect(prettyLine(line)).toBe(
      '03:04:05 gateway WARN Slot is far behind.  slot=tf note="two words" error="SOURCE_UNREACHABLE: gone"\n',
    );
  });
});
