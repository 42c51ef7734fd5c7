import type { EndName } from '../scene.ts';

export const nameOf: Readonly<Record<EndName, string>> = {
  source: 'source',
  target: 'target',
  control: 'control database',
};
