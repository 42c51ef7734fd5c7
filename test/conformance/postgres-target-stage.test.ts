import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { Applied } from '#connectors/contract/target.ts';
import { type ReadyBlock, WriterStage } from '#services/writer/writer.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { contextOf, insert, Pair, remove, table, update } from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;
const parcel = table('public.parcel', ['id*', 'owner']);

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query(`DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE parcel (id int PRIMARY KEY, owner varchar(10) UNIQUE)`);
  pair = new Pair(database);
  await pair.start();
});

/** What the topic holds: rows that come and go, some over several blocks, some that the target refuses. */
function topic(): {
  readonly blocks: readonly ReadyBlock[];
  readonly refused: readonly string[];
  readonly held: readonly string[];
} {
  const { history } = pair;
  const refused: string[] = [];
  const held = new Set<string>();
  const slices = Array.from({ length: 80 }, (_, t) => {
    const ids = Array.from({ length: 20 }, (__, i) => String(t * 20 + i));
    const changes = ids.map((id, i) => {
      held.add(id);
      if (t % 20 !== 7 || i !== 5) return insert(parcel, [id, `o${id}`]);
      held.delete(id);
      return insert(parcel, [id, 'far too long for the column']);
    });
    if (t % 20 === 7) refused.push(`1:${lsn(history.lsn + 100n)}:5`);
    if (t > 0) {
      const gone = String((t - 1) * 20);
      held.delete(gone);
      changes.push(remove(parcel, [gone, null]), update(parcel, [ids[1]!, undefined]));
    }
    if (t % 9 === 4) return history.cut([changes.slice(0, 8), changes.slice(8, 15), changes.slice(15)]);
    return [history.block(changes)];
  }).flat();
  const blocks = slices.map(({ bytes }, i) => ({ bytes, nextOffset: BigInt(i + 1) }));
  return { blocks, refused, held: [...held].toSorted((a, b) => Number(a) - Number(b)) };
}

const lsn = (value: bigint) => `0/${value.toString(16).toUpperCase()}`;

function stageOver(blocks: readonly ReadyBlock[]) {
  const stop = new AbortController();
  async function* open(from: Applied, signal: AbortSignal): AsyncIterable<ReadyBlock> {
    yield* blocks.slice(Number(from.nextOffset));
    if (!signal.aborted) await once(signal, 'abort');
  }
  const letters = new Map<string, number>();
  const interrupted: string[] = [];
  const stage = new WriterStage({
    pairId: pair.id,
    target: pair.target,
    topic: 'changes.x',
    open,
    storeDeadLetters: async (stored) => {
      for (const { position } of stored) letters.set(position, (letters.get(position) ?? 0) + 1);
    },
    observer: { opened() {}, committed() {}, interrupted: ({ code }) => void interrupted.push(code) },
  });
  const running = stage.run({ ...contextOf(stop.signal), clock: { ...contextOf().clock, sleep: () => delay(5) } });
  return { stop, running, letters, interrupted };
}

const untilAll = () =>
  eventually(async () => (await pair.applied())?.position.commitLsn === pair.history.lsn, {
    what: 'all to be applied',
  });

async function expectExact(held: readonly string[]): Promise<void> {
  expect(await database.query('SELECT id::text AS id FROM parcel ORDER BY parcel.id')).toEqual(
    held.map((id) => ({ id })),
  );
}

test('rows that are refused are dead letters once each, and all others arrive', async () => {
  const { blocks, refused, held } = topic();
  const { stop, running, letters, interrupted } = stageOver(blocks);
  await untilAll();
  stop.abort();
  await running;
  await expectExact(held);
  expect([...letters]).toEqual(refused.map((position) => [position, 1]));
  expect(interrupted).toEqual([]);
});

test('however often connections are cut, and with a second writer of the same pair, nothing is lost or doubled', async () => {
  const { blocks, refused, held } = topic();
  const stages = [stageOver(blocks), stageOver(blocks)];
  for (let cuts = 0; cuts < 25; cuts++) {
    await delay(Math.random() * 200);
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'terrafusion writer%' AND datname = current_database()`,
    );
  }
  await untilAll();
  for (const { stop, running } of stages) {
    stop.abort();
    await running;
  }
  await expectExact(held);
  expect(new Set(stages.flatMap(({ letters }) => [...letters.keys()]))).toEqual(new Set(refused));
});
