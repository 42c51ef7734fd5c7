import { expect, test } from 'vitest';
import { isToSay, type Word } from '#services/sync-service/word.ts';

const streams: Word = { state: 'streaming', code: undefined };
const catchesUp: Word = { state: 'catching_up', code: undefined };
const busGone: Word = { state: 'catching_up', code: 'BUS_UNREACHABLE' };
const targetGone: Word = { state: 'streaming', code: 'TARGET_UNREACHABLE' };

test('a writer says how it is once, and again when that is another way', () => {
  expect(isToSay(streams, undefined, undefined)).toBe(true);
  expect(isToSay(streams, streams, undefined)).toBe(false);
  expect(isToSay(streams, streams, streams)).toBe(false);
  expect(isToSay(targetGone, streams, streams)).toBe(true);
});

// Found by the leader of a topic that was frozen: the pair streamed, and was said to be in trouble for good.
test('what the stream processor tells of itself stands until it takes that back; then the writer says again how it is', () => {
  expect(isToSay(streams, streams, busGone)).toBe(false);
  expect(isToSay(streams, streams, catchesUp)).toBe(true);
  expect(isToSay(targetGone, targetGone, catchesUp)).toBe(true);
  expect(isToSay(catchesUp, catchesUp, catchesUp)).toBe(false);
});

test('what a command has made of the pair is not for the writer to correct', () => {
  expect(isToSay(streams, streams, { state: 'paused', code: undefined })).toBe(false);
  expect(isToSay(streams, streams, { state: 'failed', code: 'PAIR_INVALID' })).toBe(false);
});
