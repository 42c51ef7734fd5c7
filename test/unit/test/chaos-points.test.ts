import { expect, test } from 'vitest';
import { crashPoints } from '#services/kernel/crash-points.ts';
import { kafkaPoints, startPoints, streamPoints, tableSyncCancelPoint, tableSyncPoints } from '#test/chaos/points.ts';

test('something is killed at every crash point there is', () => {
  const killedAt = [
    ...[...streamPoints, ...kafkaPoints].map(([point]) => point),
    ...startPoints,
    ...tableSyncPoints,
    tableSyncCancelPoint,
    crashPoints.SUPERVISOR_PAIR_DELETED_NOT_CLEANED,
  ];
  expect([...new Set(killedAt)].toSorted()).toEqual(Object.values(crashPoints).toSorted());
});
