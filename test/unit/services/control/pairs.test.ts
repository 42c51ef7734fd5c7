import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { pairConfig, tableInput } from '#schemas/pairs.ts';
import { acquireLease, releaseLease } from '#services/kernel/leases.ts';
import { makePair, missingId, withControl } from './fixture.ts';

const fixture = withControl();
const failure = (message = 'no') => new TerraFusionError('SOURCE_UNREACHABLE', message);
const name = (text: string) => ({ schema: 'public', name: text });

describe('pairs', () => {
  test('are created paused, with a load asked for, and found by id and name', async () => {
    const { pairs } = fixture.control;
    const pair = await makePair(fixture.control, 'fresh');
    expect(pair).toMatchObject({
      name: 'fresh',
      desired: 'paused',
      state: 'created',
      error: undefined,
      runs: 0,
      load: { state: 'requested', number: 1, startOffset: undefined, startPosition: undefined },
      definition: { version: 1, tables: undefined, config: pairConfig.parse({}) },
      progress: undefined,
      deadLetters: 0,
      deleted: false,
    });
    expect(await pairs.get('fresh')).toEqual(pair);
    expect(await pairs.get(pair.id)).toEqual(pair);
    await expect(pairs.get('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(pairs.get(missingId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(makePairLike(pair.id, 'fresh')).rejects.toThrow('There is a sync pair "fresh" already');
  });

  async function makePairLike(id: string, as: string) {
    const { pairs } = fixture.control;
    const { sourceId, targetId, definition } = await pairs.get(id);
    return await pairs.create({
      name: as,
      sourceId,
      targetId,
      tables: undefined,
      config: definition.config,
      desired: 'running',
    });
  }

  test('count a version for each definition that differs, and for nothing else', async () => {
    const { pairs, runs } = fixture.control;
    const { id } = await makePair(fixture.control);
    const tables = [tableInput.parse({ source: 'public.a' })];
    const config = pairConfig.parse({});
    expect((await pairs.change(id, { definition: { tables, config } })).definition).toEqual({
      version: 2,
      tables,
      config,
    });
    expect((await pairs.change(id, { definition: { tables, config } })).definition.version).toBe(2);
    await runs.setDesired(id, 'running');
    await runs.recordState(id, 'streaming');
    const renamed = await pairs.change(id, { name: 'renamed' });
    expect(renamed).toMatchObject({ name: 'renamed', definition: { version: 2 } });
    await expect(pairs.change(missingId, { name: 'x' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('keep the order in which columns are written, and another order alone is no other version', async () => {
    const { pairs } = fixture.control;
    const { id, definition } = await makePair(fixture.control);
    const names = ['zoning', 'id', 'a_rather_long_name', 'b'];
    const table = (columns: readonly string[]) =>
      tableInput.parse({
        source: 'a.x',
        columns: Object.fromEntries(columns.map((name) => [name, { from: name }])),
      });
    const change = (columns: readonly string[]) =>
      pairs.change(id, { definition: { tables: [table(columns)], config: definition.config } });
    expect(Object.keys((await change(names)).definition.tables![0]!.columns)).toEqual(names);
    const turned = await change(names.toReversed());
    expect(Object.keys(turned.definition.tables![0]!.columns)).toEqual(names.toReversed());
    expect(turned.definition.version).toBe(definition.version + 1);
  });

  test('come in pages by name, with filters', async () => {
    const { pairs, runs } = fixture.control;
    const made = [];
    for (const index of [1, 2, 3]) made.push(await makePair(fixture.control, `listed-${index}`));
    await runs.recordState(made[1]!.id, 'streaming');
    const page = await pairs.list({ text: 'listed' }, { limit: 2 });
    expect(page.items.map((pair) => pair.name)).toEqual(['listed-1', 'listed-2']);
    const rest = await pairs.list({ text: 'listed' }, { limit: 2, cursor: page.nextCursor });
    expect(rest).toMatchObject({ items: [{ name: 'listed-3' }], nextCursor: undefined });
    expect((await pairs.list({ text: 'listed', state: 'streaming' }, { limit: 9 })).items).toMatchObject([
      { name: 'listed-2' },
    ]);
    expect((await pairs.list({ systemId: made[0]!.sourceId }, { limit: 9 })).items).toMatchObject([
      { name: 'listed-1' },
    ]);
    expect((await pairs.list({ systemId: made[2]!.targetId }, { limit: 9 })).items).toMatchObject([
      { name: 'listed-3' },
    ]);
    expect(await pairs.countByState()).toMatchObject({ streaming: expect.any(Number) as number });
  });

  test('when deleted give their name free at once, and go with all that hangs on them when purged', async () => {
    const { control } = fixture;
    const pair = await makePair(control, 'doomed');
    const inline = await control.systems.create({
      name: 'doomed-inline',
      connector: 'postgres',
      connection: {},
      secretFields: [],
      inline: true,
    });
    const other = await control.pairs.create({
      name: 'with-inline',
      sourceId: pair.sourceId,
      targetId: inline.id,
      tables: undefined,
      config: pairConfig.parse({}),
      desired: 'paused',
    });
    await control.deadLetters.store(other.id, []);
    await control.operations.create({ pairId: other.id, type: 'full', requestedBy: 'me' });
    // Not deleted: stays.
    await control.pairs.purge(other.id);
    expect(await control.pairs.find(other.id)).toBeDefined();

    await control.pairs.delete(other.id);
    await expect(control.pairs.delete(other.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await control.pairs.find(other.id)).toBeUndefined();
    expect(await control.pairs.all()).toContainEqual(
      expect.objectContaining({ id: other.id, deleted: true, desired: 'paused' }),
    );
    await control.pairs.create({
      ...other,
      tables: undefined,
      config: other.definition.config,
      targetId: pair.targetId,
    });
    await control.pairs.purge(other.id);
    expect((await control.pairs.all()).map(({ id }) => id)).not.toContain(other.id);
    expect(await control.systems.find('doomed-inline')).toBeUndefined();
  });
});

describe('runs', () => {
  test('a word about the time before a command is dropped', async () => {
    const { pairs, runs } = fixture.control;
    const { id } = await makePair(fixture.control);
    await runs.setDesired(id, 'running');
    expect(await runs.recordState(id, 'failed', failure(), { runs: 0 })).toBe(false);
    expect(await runs.recordState(id, 'failed', failure(), { runs: 1 })).toBe(true);
    expect(await pairs.get(id)).toMatchObject({
      desired: 'running',
      state: 'failed',
      runs: 1,
      error: { code: 'SOURCE_UNREACHABLE' },
    });
    await runs.setDesired(id, 'running');
    expect(await pairs.get(id)).toMatchObject({ state: 'created', error: undefined, runs: 2 });
    expect(await runs.recordState(id, 'failed', failure(), { runs: 1 })).toBe(false);
    expect(await runs.recordState(id, 'streaming', undefined, { runs: 2 })).toBe(true);
    expect(await pairs.get(id)).toMatchObject({ state: 'streaming', error: undefined, runs: 2 });
    await runs.setDesired(id, 'paused');
    expect(await pairs.get(id)).toMatchObject({ desired: 'paused', state: 'streaming', runs: 2 });
    await expect(runs.setDesired(missingId, 'paused')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await runs.recordState(missingId, 'failed')).toBe(false);
  });

  test('a word of who has lost the work to another process is dropped (Promise 9)', async () => {
    const { database, runs } = fixture.control;
    const { id } = await makePair(fixture.control);
    await runs.setDesired(id, 'running');
    const before = (await acquireLease(database, `pair:${id}`, 'frozen', 0))!;
    const after = (await acquireLease(database, `pair:${id}`, 'well', 60_000))!;
    expect(await runs.recordState(id, 'streaming', undefined, { runs: 1, under: after })).toBe(true);
    expect(await runs.recordState(id, 'catching_up', failure(), { runs: 1, under: before })).toBe(false);
    expect(await runs.stateOf(id)).toEqual({ state: 'streaming', code: undefined });
    expect(await runs.recordState(id, 'catching_up', failure(), { runs: 1, under: after })).toBe(true);
    await runs.endTrouble(id, { runs: 1, under: before });
    expect(await runs.stateOf(id)).toEqual({ state: 'catching_up', code: 'SOURCE_UNREACHABLE' });
    // A lease that has run out, and that nobody has taken, is still one's own.
    await releaseLease(database, after);
    await runs.endTrouble(id, { runs: 1, under: after });
    expect(await runs.stateOf(id)).toEqual({ state: 'catching_up', code: undefined });
  });

  test('trouble ends where a pair catches up in spite of it, and nowhere else (Promise 9)', async () => {
    const { runs } = fixture.control;
    const { id } = await makePair(fixture.control);
    await runs.setDesired(id, 'running');
    await runs.recordState(id, 'catching_up', failure(), { runs: 1 });
    await runs.endTrouble(id, { runs: 0 });
    expect(await runs.stateOf(id)).toEqual({ state: 'catching_up', code: 'SOURCE_UNREACHABLE' });
    await runs.endTrouble(id, { runs: 1 });
    expect(await runs.stateOf(id)).toEqual({ state: 'catching_up', code: undefined });
    await runs.recordState(id, 'failed', failure(), { runs: 1 });
    await runs.endTrouble(id, { runs: 1 });
    expect(await runs.stateOf(id)).toEqual({ state: 'failed', code: 'SOURCE_UNREACHABLE' });
    expect(await runs.stateOf(missingId)).toBeUndefined();
  });

  test('what is stopped because its pair has failed does not talk the failure away (Promise 9)', async () => {
    const { pairs, runs } = fixture.control;
    const { id } = await makePair(fixture.control);
    await runs.recordState(id, 'failed', failure(), { runs: 0 });
    expect(await runs.recordState(id, 'streaming', undefined, { runs: 0 })).toBe(false);
    expect(await pairs.get(id)).toMatchObject({ state: 'failed', error: { code: 'SOURCE_UNREACHABLE' } });
    await runs.setDesired(id, 'running');
    expect(await runs.recordState(id, 'streaming', undefined, { runs: 1 })).toBe(true);
  });

  test('an error keeps its beginning as long as it is the same, and no password of a message', async () => {
    const { pairs, runs } = fixture.control;
    const { id } = await makePair(fixture.control);
    await runs.recordState(id, 'failed', failure('cannot reach postgresql://a:hunter2@h/d'));
    const first = (await pairs.get(id)).error!;
    expect(first.message).not.toContain('hunter2');
    await runs.recordState(id, 'failed', failure('still not'));
    expect((await pairs.get(id)).error).toEqual({ ...first, message: 'still not' });
    await runs.recordState(id, 'failed', new TerraFusionError('TARGET_UNREACHABLE', 'now the other one'));
    expect((await pairs.get(id)).error).toMatchObject({ code: 'TARGET_UNREACHABLE' });
    const noted = await fixture.control.database.query(
      'SELECT code FROM terrafusion.errors WHERE pair_id = $1 ORDER BY id',
      [id],
    );
    expect(noted).toEqual([
      { code: 'SOURCE_UNREACHABLE' },
      { code: 'SOURCE_UNREACHABLE' },
      { code: 'TARGET_UNREACHABLE' },
    ]);
  });

  test('a load of which nobody spoke is an operation all the same, and a resync overtakes it', async () => {
    const { operations, runs, pairs } = fixture.control;
    const { id } = await makePair(fixture.control);
    const load = { number: 1, startOffset: 7n, startPosition: '1:0/10' };
    expect(await runs.recordLoad(id, { ...load, state: 'running' })).toBe(true);
    expect((await pairs.get(id)).load).toEqual({ ...load, state: 'running' });
    expect((await operations.list({ pairId: id }, { limit: 9 })).items).toMatchObject([
      { type: 'full', state: 'running', requestedBy: 'sync-service', finishedAt: undefined },
    ]);

    expect(await runs.requestResync(id)).toBe(2);
    expect((await pairs.get(id)).load).toEqual({
      state: 'requested',
      number: 2,
      startOffset: undefined,
      startPosition: undefined,
    });
    expect(await runs.recordLoad(id, { ...load, state: 'done' })).toBe(false);
    expect(await runs.recordLoad(id, { ...load, number: 2, state: 'running' })).toBe(true);
    expect(await runs.recordLoad(id, { ...load, number: 2, state: 'done' })).toBe(true);
    expect((await operations.list({ pairId: id }, { limit: 9 })).items).toMatchObject([
      { type: 'full', state: 'running', progress: { tables_total: 0 }, counts: { rows_copied: 0 } },
    ]);
    // It is completed once the stream has passed what was copied.
    await operations.completeLoads(id);
    expect((await operations.list({ pairId: id }, { limit: 9 })).items).toMatchObject([
      { type: 'full', state: 'completed', finishedAt: expect.any(Date) as Date },
    ]);
    await expect(runs.requestResync(missingId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a pair that fails ends what it was asked to do', async () => {
    const { operations, runs } = fixture.control;
    const { id } = await makePair(fixture.control);
    const operation = await operations.create({ pairId: id, type: 'full', requestedBy: 'me' });
    await runs.recordState(id, 'failed', failure());
    expect(await operations.get(operation.id)).toMatchObject({
      state: 'failed',
      error: { code: 'SOURCE_UNREACHABLE' },
    });
  });
});

describe('progress', () => {
  const progress = {
    position: '1:0/200',
    commitLsn: '0/200',
    nextOffset: 9n,
    lagBytes: 5,
    lagSeconds: 0.5,
    changesApplied: 3,
  };

  test('is shown with the pair', async () => {
    const { control } = fixture;
    const { id } = await makePair(control);
    await control.progress.record(id, progress);
    expect((await control.pairs.get(id)).progress).toMatchObject({
      ...progress,
      lagBytes: 5,
      appliedAt: expect.any(Date) as Date,
    });
    expect(await control.progress.totals()).toMatchObject({ changesApplied: 3 });
    // A pair that was purged in between is no error.
    await control.progress.record(missingId, progress);
  });

  test('tells which offsets of the topic are needed: by the stream, or by the load under way', async () => {
    const { control } = fixture;
    const pair = await makePair(control);
    const needed = () => control.progress.neededOffsets(pair.sourceId);
    expect(await needed()).toEqual([undefined]);
    await control.runs.recordLoad(pair.id, { state: 'running', number: 1, startOffset: 4n, startPosition: '1:0/10' });
    await control.progress.record(pair.id, progress);
    expect(await needed()).toEqual([4n]);
    await control.runs.recordLoad(pair.id, { state: 'done', number: 1, startOffset: 4n, startPosition: '1:0/10' });
    expect(await needed()).toEqual([9n]);
    // A resync begins anew: where the stream before it was is of no use, even if it is further on.
    await control.runs.requestResync(pair.id);
    expect(await needed()).toEqual([undefined]);
    await control.runs.recordLoad(pair.id, { state: 'running', number: 2, startOffset: 5n, startPosition: '1:0/20' });
    await control.runs.recordLoad(pair.id, { state: 'done', number: 2, startOffset: 5n, startPosition: '1:0/20' });
    expect(await needed()).toEqual([5n]);
    expect((await control.pairs.get(pair.id)).progress).toMatchObject({ position: undefined, changesApplied: 3 });
    await control.pairs.delete(pair.id);
    expect(await needed()).toEqual([]);
  });

  test('of tables is kept by table', async () => {
    const { tables, operations } = fixture.control;
    const { id } = await makePair(fixture.control);
    const operation = await operations.create({ pairId: id, type: 'full', requestedBy: 'me', state: 'running' });
    const table = (text: string, rowsCopied: number) =>
      ({
        source: name(text),
        target: name(`${text}_copy`),
        state: 'loading',
        rowsCopied,
        rowsTotal: 10,
        bytesCopied: 90,
        rowsPerSecond: 2,
      }) as const;
    await tables.record(id, [table('b', 1), table('a', 2)]);
    await tables.record(id, [{ ...table('b', 10), state: 'loaded', rowsPerSecond: undefined }]);
    await tables.addChanges(id, [{ target: name('a_copy'), changes: 4, lastChangeAt: new Date(0) }]);
    expect(await tables.list(id)).toEqual([
      { ...table('a', 2), changesApplied: 4, lastChangeAt: new Date(0), schemaVersion: 1 },
      {
        ...table('b', 10),
        state: 'loaded',
        rowsPerSecond: undefined,
        changesApplied: 0,
        lastChangeAt: undefined,
        schemaVersion: 1,
      },
    ]);
    expect(await operations.get(operation.id)).toMatchObject({
      progress: {
        tables_total: 2,
        tables_done: 1,
        rows_copied: 12,
        rows_total: 20,
        bytes_copied: 180,
        rows_per_second: 2,
        seconds_left: 4,
      },
    });
    await operations.recordResting(id, 86_400_000);
    expect((await operations.get(operation.id)).progress).toMatchObject({ resting_until: '1970-01-02T00:00:00.000Z' });
    await operations.recordResting(id, undefined);
    expect((await operations.get(operation.id)).progress).not.toHaveProperty('resting_until');
    await tables.keepOnly(id, [table('b', 0)]);
    expect(await tables.list(id)).toHaveLength(1);
    await tables.record(missingId, [table('b', 1)]);
  });
});

describe('operations', () => {
  test('come latest first, in pages, with filters', async () => {
    const { operations, pairs } = fixture.control;
    const { id } = await makePair(fixture.control, 'busy');
    const made = [];
    for (const type of ['full', 'resync', 'verify'] as const)
      made.push(await operations.create({ pairId: id, type, requestedBy: 'me' }));
    await operations.finish(made[0]!.id, 'completed');
    await operations.finish(made[0]!.id, 'failed', failure());
    const page = await operations.list({ pairId: id }, { limit: 2 });
    expect(page.items.map(({ type }) => type)).toEqual(['verify', 'resync']);
    const rest = await operations.list({ pairId: id }, { limit: 2, cursor: page.nextCursor });
    expect(rest).toMatchObject({
      items: [{ type: 'full', state: 'completed', error: undefined }],
      nextCursor: undefined,
    });
    expect((await operations.list({ pairId: id, state: 'pending', type: 'verify' }, { limit: 9 })).items).toHaveLength(
      1,
    );
    expect((await operations.list({ until: '2000-01-01T00:00:00Z' }, { limit: 9 })).items).toHaveLength(0);
    expect((await operations.counts(24)).running).toBeGreaterThanOrEqual(2);
    await expect(operations.get('nonsense')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(operations.get(missingId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await pairs.delete(id);
  });
});
