import { describe, expect, test } from 'vitest';
import type { Figures } from '#services/cli/up/figures.ts';
import { createScreen, figuresLine, type Summary } from '#services/cli/up/screen.ts';
import { RecordingTerminal } from './recording-terminal.ts';

const figures: Figures = {
  at: Date.parse('2026-01-31T08:15:30Z'),
  states: { streaming: 1 },
  changesPerSecond: 63.4,
  changesApplied: 12_345,
  lagSeconds: 0.012,
  rowsCopied: 162_011,
  load: undefined,
  deadLetters: 20,
  failures: [],
};
const summary: Summary = {
  version: '0.1.0',
  gateway: 'http://127.0.0.1:5000',
  syncService: 'http://127.0.0.1:8080',
  dataFolder: '/data',
  controlDatabase: 'embedded',
  bus: 'embedded',
  adminKey: 'tfk_id_secret',
  adminKeyFile: '/data/admin-key',
  demo: {
    databases: [
      {
        name: 'county_pacs',
        url: 'postgresql://county_clerk@127.0.0.1:5433/county_pacs',
        passwordFile: "/it's/pgpass",
      },
    ],
  },
};

describe('the live line', () => {
  test('says how it goes', () => {
    expect(figuresLine(figures)).toBe(
      'streaming · 63 changes/s · lag 12 ms · 12,345 changes · 162,011 rows copied · 20 dead letters',
    );
    expect(
      figuresLine({ ...figures, states: { streaming: 2, failed: 1 }, deadLetters: 0, lagSeconds: null }),
    ).toContain('2 streaming, failed · 63 changes/s · lag - ·');
    expect(figuresLine({ ...figures, changesPerSecond: null })).toContain('streaming · - changes/s · lag 12 ms');
    expect(figuresLine({ ...figures, changesPerSecond: 0 })).toContain('streaming · 0.0 changes/s');
    expect(figuresLine({ ...figures, states: {} })).toContain('no pairs');
  });

  test('shows a load with bar, rate and time left', () => {
    const load = { copied: 50, total: 200, rowsPerSecond: 10 };
    expect(figuresLine({ ...figures, states: { loading: 1 }, load })).toContain(
      'loading · █████░░░░░░░░░░░░░░░ 25 % at 10 rows/s, 15.0 s left ·',
    );
  });

  test('is written over on a terminal, and fits its width', () => {
    const terminal = new RecordingTerminal({ isTty: true, columns: 30 });
    const screen = createScreen(terminal, false);
    screen.figures(figures);
    screen.figures({ ...figures, at: figures.at + 1000 });
    expect(terminal.stdout).not.toContain('\n');
    for (const line of terminal.stdout.split('\r\u001b[2K')) expect(line.length).toBeLessThan(30);
    screen.step('Something else.');
    expect(terminal.stdout).toMatch(/\r\u001b\[2KSomething else\.\n$/);
  });

  test('is a line every ten seconds where lines stay', () => {
    const terminal = new RecordingTerminal();
    const screen = createScreen(terminal, false);
    for (let second = 0; second < 25; second++) screen.figures({ ...figures, at: figures.at + second * 1000 });
    expect(terminal.stdout.split('\n').map((line) => line.slice(0, 8))).toEqual([
      '08:15:30',
      '08:15:40',
      '08:15:50',
      '',
    ]);
  });

  test('tells a failed pair once, with what to do', () => {
    const terminal = new RecordingTerminal();
    const screen = createScreen(terminal, false);
    const failed = { ...figures, failures: [{ pair: 'a-pair', message: 'X: why', fix: 'Do this.' }] };
    screen.figures(failed);
    screen.figures(failed);
    expect(terminal.stdout.match(/a-pair: X: why\n {2}Do this\.\n/g)).toHaveLength(1);
  });
});

describe('the summary', () => {
  test('shows what runs and where, and the key', () => {
    const terminal = new RecordingTerminal();
    createScreen(terminal, false).ready(summary, 4.2);
    expect(terminal.stdout).toContain('http://127.0.0.1:5000/dashboard');
    expect(terminal.stdout).toContain('tfk_id_secret');
    expect(terminal.stdout).toContain(
      String.raw`PGPASSFILE='/it'\''s/pgpass' psql postgresql://county_clerk@127.0.0.1:5433/county_pacs`,
    );
    const later = new RecordingTerminal();
    createScreen(later, false).ready({ ...summary, adminKey: undefined, demo: undefined }, 4.2);
    expect(later.stdout).not.toContain('tfk_');
    expect(later.stdout).toContain('/data/admin-key');
  });

  test('is JSON for scripts, a document a line', () => {
    const terminal = new RecordingTerminal({ isTty: true });
    const screen = createScreen(terminal, true);
    screen.step('Starting.');
    screen.ready(summary, 4.2);
    screen.figures(figures);
    screen.log('{"level":"info","message":"quiet"}');
    screen.log('{"level":"warn","message":"loud"}');
    screen.stopping();
    screen.stopped();
    const events = terminal.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.map(({ event }) => event)).toEqual(['step', 'ready', 'figures', 'log', 'stopping', 'stopped']);
    expect(events[1]).toMatchObject({ gateway: summary.gateway, adminKey: 'tfk_id_secret', seconds: 4.2 });
    expect(events[2]).toMatchObject({ changesPerSecond: 63.4, lagSeconds: 0.012 });
    expect(events[3]).toMatchObject({ message: 'loud' });
  });
});

test('of the log, a person sees warnings and errors', () => {
  const terminal = new RecordingTerminal();
  const screen = createScreen(terminal, false);
  screen.log('{"level":"info","time":"2026-01-31T08:15:30.000Z","message":"quiet"}');
  screen.log('{"level":"error","time":"2026-01-31T08:15:30.000Z","name":"gateway","message":"loud"}');
  expect(terminal.stdout).toBe('08:15:30 gateway ERROR loud\n');
});
