import { expect, test } from 'vitest';
import { parseStreamName, publicationName, slotName } from '#schemas/stream-names.ts';

const installation = '4f1c2a9e-3b1d-4c55-8a7e-0f8f3a2e7f10';
const source = '0198a1f2-6c1e-7c55-b7d1-0f8f3a2e7f10';

test('names tell installation, source and generation, and are taken apart again', () => {
  expect(slotName(installation, source, 3)).toBe('terrafusion_4f1c2a9e_0198a1f26c1e7c55_3');
  expect(publicationName(installation, source)).toBe('terrafusion_4f1c2a9e_0198a1f26c1e7c55');
  expect(slotName(installation, source, 999_999_999).length).toBeLessThan(64);
  expect(parseStreamName(slotName(installation, source, 3))).toEqual({
    installation: '4f1c2a9e',
    source: '0198a1f26c1e7c55',
    generation: 3,
  });
  expect(parseStreamName(publicationName(installation, source))).toMatchObject({ generation: undefined });
});

test('names of the first version carried no installation', () => {
  expect(parseStreamName('terrafusion_0198a1f26c1e7c55_2')).toEqual({
    installation: undefined,
    source: '0198a1f26c1e7c55',
    generation: 2,
  });
});

test.each([
  '',
  'terrafusion',
  'terrafusion_by_hand',
  'terrafusion_4F1C2A9E_0198a1f26c1e7c55_3',
  'x_4f1c2a9e_0198a1f26c1e7c55',
  'terrafusion_4f1c2a9e_0198a1f26c1e7c55_3_4',
])('"%s" is none of ours', (name) => {
  expect(parseStreamName(name)).toBeUndefined();
});
