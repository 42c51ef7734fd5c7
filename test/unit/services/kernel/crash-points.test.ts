import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { CRASH_POINT_VARIABLE, crashPoint, crashPoints, parseCrashPoint } from '#services/kernel/crash-points.ts';

const module = new URL('../../../../services/kernel/crash-points.ts', import.meta.url).href;

/** Passes the writer's point three times in a process of its own and tells how it ended and what it printed. */
async function passThrice(
  armed: string | undefined,
): Promise<{ signal: string | null; code: number | null; out: string }> {
  const script = `
    const { crashPoint } = await import(${JSON.stringify(module)});
    for (let passage = 1; passage <= 3; passage += 1) {
      crashPoint('reader.received-not-stored');
      crashPoint('writer.before-commit');
      process.stdout.write(String(passage));
    }`;
  const env = { ...process.env, [CRASH_POINT_VARIABLE]: armed ?? '' };
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, out };
}

describe('crash points', () => {
  test('do nothing unless armed', async () => {
    for (const point of Object.values(crashPoints)) crashPoint(point);
    expect(await passThrice(undefined)).toEqual({ code: 0, signal: null, out: '123' });
    expect(await passThrice('loader.mid-copy')).toEqual({ code: 0, signal: null, out: '123' });
  });

  test('kill at the first passage, or at the nth', async () => {
    expect(await passThrice('writer.before-commit')).toEqual({ code: null, signal: 'SIGKILL', out: '' });
    expect(await passThrice('writer.before-commit:3')).toEqual({ code: null, signal: 'SIGKILL', out: '12' });
  });

  test('a name that is none ends the process, instead of a test that kills nothing', async () => {
    expect(await passThrice('writer.before-comit')).toMatchObject({ code: 1, out: '' });
    expect(() => parseCrashPoint('writer.before-commit:0')).toThrow(/names no crash point/);
    expect(parseCrashPoint('writer.before-commit:12')).toEqual({ name: 'writer.before-commit', nth: 12 });
  });

  test('have names that say the stage, each once', () => {
    const names = Object.values(crashPoints);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^(reader|processor|writer|loader|supervisor)\.[a-z-]+$/);
  });
});
