import { expect, test } from 'vitest';
import { metricsWithin } from '#services/gateway/scoped-metrics.ts';

const seen = { pairs: new Set(['ours', 'a "quoted" one\\']), sources: new Set(['pacs']) };

test('keeps the series of pairs and sources that one may see, with their headings', () => {
  const text = [
    '# HELP lag Lag.',
    '# TYPE lag gauge',
    'lag{pair="ours"} 1',
    'lag{pair="theirs"} 2',
    'lag{component="gateway",pair="a \\"quoted\\" one\\\\"} 3',
    '',
    '# HELP both Of both.',
    '# TYPE both counter',
    'both{pair="ours",source="gis"} 4',
    'both{pair="ours",source="pacs"} 5',
    '',
    '# HELP process_cpu CPU.',
    '# TYPE process_cpu counter',
    'process_cpu 6',
    'process_cpu{component="pair=\\"ours\\""} 7',
    '',
  ].join('\n');
  expect(metricsWithin(text, seen).split('\n')).toEqual([
    '# HELP lag Lag.',
    '# TYPE lag gauge',
    'lag{pair="ours"} 1',
    'lag{component="gateway",pair="a \\"quoted\\" one\\\\"} 3',
    '# HELP both Of both.',
    '# TYPE both counter',
    'both{pair="ours",source="pacs"} 5',
    '',
  ]);
});

test('is empty when nothing is to be seen', () => {
  expect(metricsWithin('# HELP lag Lag.\nlag{pair="ours"} 1\n', { pairs: new Set(), sources: new Set() })).toBe('');
});
