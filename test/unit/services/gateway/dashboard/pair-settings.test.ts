import { expect, test } from 'vitest';
import { pairConfig } from '#schemas/pairs.ts';
import {
  changesOf,
  choices,
  figures,
  valuesOf,
  windowParts,
} from '#services/gateway/dashboard/pages/pair/settings-values.ts';

const config = pairConfig.parse({ load_window: { from: '22:30', to: '05:00' } });

test('every setting of a pair can be changed, but for those that nothing follows yet', () => {
  const shown = [...choices, ...figures].map(({ name }): string => name);
  const others = ['load_window', 'detection_strategy', 'conflict_strategy'];
  expect(new Set([...shown, ...others])).toEqual(new Set(Object.keys(pairConfig.shape)));
  expect(windowParts.map(({ name }) => name)).toEqual(
    Object.keys(config.load_window!).map((part) => `load_window.${part}`),
  );
});

test('what is changed is what the API takes, and nothing else is sent', () => {
  const before = valuesOf(config);
  expect(changesOf(before, before)).toEqual({});
  const after = { ...before, create_tables: 'false', batch_size: '500', load_chunk_rows: '', on_invalid: 'halt' };
  expect(changesOf(before, after)).toEqual({ create_tables: false, batch_size: 500, on_invalid: 'halt' });
  expect(changesOf({ ...before, load_chunk_rows: '7' }, after)).toMatchObject({ load_chunk_rows: null });
  expect(pairConfig.partial().safeParse(changesOf(before, after)).success).toBe(true);
});

test('a window is changed as a whole, and ends when both times are emptied', () => {
  const before = valuesOf(config);
  expect(changesOf(before, { ...before, 'load_window.zone': 'America/Los_Angeles' })).toEqual({
    load_window: { from: '22:30', to: '05:00', zone: 'America/Los_Angeles' },
  });
  expect(changesOf(before, { ...before, 'load_window.from': '', 'load_window.to': ' ' })).toEqual({
    load_window: null,
  });
  const without = valuesOf(pairConfig.parse({}));
  expect(changesOf(without, { ...without, 'load_window.zone': 'Europe/Paris' })).toEqual({});
  expect(changesOf(without, { ...without, 'load_window.from': '22:00' })).toEqual({
    load_window: { from: '22:00', to: '', zone: 'UTC' },
  });
});
