import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { stopOnSignals } from '#services/cli/up/stop-signals.ts';

function setUp() {
  const source = new EventEmitter();
  const heard: string[] = [];
  const clock = { now: 1000 };
  const stop = stopOnSignals(
    source,
    () => clock.now,
    () => heard.push('first'),
    () => heard.push('second'),
  );
  return { source, heard, clock, stop };
}

test('the first signal asks to stop', () => {
  const { source, heard, stop } = setUp();
  expect(stop.signal.aborted).toBe(false);
  source.emit('SIGTERM');
  expect(stop.signal.aborted).toBe(true);
  expect(heard).toEqual(['first']);
});

test('a key press that arrives twice, by the terminal and by npm, is one', () => {
  const { source, heard, clock } = setUp();
  source.emit('SIGINT');
  clock.now += 20;
  source.emit('SIGINT');
  expect(heard).toEqual(['first']);
});

test('a second key press is heard as one', () => {
  const { source, heard, clock } = setUp();
  source.emit('SIGINT');
  clock.now += 1500;
  source.emit('SIGINT');
  expect(heard).toEqual(['first', 'second']);
});

test('the end of who started us asks to stop as well', () => {
  const { source, heard } = setUp();
  source.emit('disconnect');
  expect(heard).toEqual(['first']);
});

test('disposed, it listens no longer', () => {
  const { source, stop } = setUp();
  stop[Symbol.dispose]();
  expect(source.eventNames()).toEqual([]);
});
