import { expect, test } from 'vitest';
import { causeOf } from '#services/control/causes.ts';
import { makePair, withControl } from './fixture.ts';

const fixture = withControl();

const note = (entityKind: string, entityId: string, requestId: string | undefined): Promise<unknown> =>
  fixture.control.audit.append({
    actor: 'somebody',
    action: `${entityKind}.x`,
    entityKind,
    entityId,
    outcome: 'success',
    requestId,
  });

test("a pair's work is found by the latest request that told it, or its latest operation, what to do", async () => {
  const { control } = fixture;
  const [pair, other] = [await makePair(control), await makePair(control)];
  const cause = () => causeOf(control.database, pair.id);
  expect(await cause()).toEqual({ operation: undefined, request: undefined });

  await note('sync_pair', pair.id, 'r-create');
  await note('sync_pair', other.id, 'r-other');
  expect(await cause()).toEqual({ operation: undefined, request: 'r-create' });

  const first = await control.operations.create({ pairId: pair.id, type: 'full', requestedBy: 'somebody' });
  await note('sync_operation', first.id, 'r-full');
  expect(await cause()).toEqual({ operation: first.id, request: 'r-full' });

  // What processes do by themselves is nobody's request.
  await note('sync_pair', pair.id, undefined);
  await note('sync_pair', pair.id, 'r-resume');
  expect(await cause()).toEqual({ operation: first.id, request: 'r-resume' });

  // An operation that has ended is not what runs; an older one's request does not come back.
  await control.operations.finish(first.id, 'completed');
  const second = await control.operations.create({ pairId: pair.id, type: 'incremental', requestedBy: 'somebody' });
  await note('sync_operation', first.id, 'r-late');
  expect(await cause()).toEqual({ operation: second.id, request: 'r-resume' });
});
