import { expect, test } from 'vitest';
import { crashPoints } from '#services/kernel/crash-points.ts';
import { kafkaPoints, startPoints, streamPoints } from '#test/chaos/points.ts';

test('the chaos suite kills at every crash point there is', () => {
  const killedAt = [
    ...[...streamPoints, ...kafkaPoints].map(([point]) => point),
    ...startPoints,
    crashPoints.SUPERVISOR_PAIR_DELETED_NOT_CLEANED,
  ];
  expect(killedAt.toSorted()).toEqual(Object.values(crashPoints).toSorted());
});
