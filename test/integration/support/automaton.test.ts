import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createWalk, Walker } from '#test/chaos/automaton.ts';
import { Watcher } from '#test/chaos/watcher.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { freshDatabase } from '#test/support/servers.ts';

/** The watcher of the chaos suite sees each kind of wrong, and calls it by its name. */
let source: TestDatabase;
let target: TestDatabase;
let watcher: Watcher;

/** As the target would have brought them: a source transaction each. */
const BRING = [
  `INSERT INTO walk VALUES (1, 1, md5('1/1')); INSERT INTO step VALUES (1, 1, 1, 1, false)`,
  `INSERT INTO walk VALUES (2, 1, md5('2/1')); INSERT INTO step VALUES (2, 1, 2, 2, false)`,
  `UPDATE walk SET version = 2, sum = md5('1/2') WHERE id = 1; INSERT INTO step VALUES (1, 2, 3, 3, false);
   UPDATE walk SET version = 2, sum = md5('2/2') WHERE id = 2; INSERT INTO step VALUES (2, 2, 4, 3, false)`,
  `DELETE FROM walk WHERE id = 2; INSERT INTO step VALUES (2, 3, 5, 4, true)`,
] as const;

const transaction = (text: string): string => `BEGIN; ${text}; COMMIT`;

beforeAll(async () => {
  [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await createWalk(source, target);
  for (const text of BRING) await source.query(transaction(text));
});

beforeEach(async () => {
  await target.query('TRUNCATE walk, step');
  watcher = await Watcher.start(target);
});

afterEach(() => watcher.stop().catch(() => undefined));

async function bring(...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await target.query(transaction(text));
    const { looks } = watcher;
    const looked = eventually(() => watcher.looks > looks + 1, { within: 30_000 });
    // A watcher who has seen something wrong looks no more.
    const saw = watcher.loop.ended.catch(() => undefined);
    await Promise.race([looked, saw]);
    looked.catch(() => undefined);
  }
}

const seen = () => watcher.stop();
const judged = async () => {
  await watcher.stop();
  await watcher.judge(source, target);
};

describe('what was seen', () => {
  test('nothing, when all is well', async () => {
    await bring(...BRING);
    await expect(judged()).resolves.toBeUndefined();
  });

  test.each([
    ['torn', `UPDATE walk SET version = 3 WHERE id = 1; INSERT INTO step VALUES (1, 3, 9, 9, false)`],
    ['half a transaction', `UPDATE walk SET version = 3, sum = md5('1/3') WHERE id = 1`],
    [
      'repetition',
      `UPDATE walk SET version = 1, sum = md5('1/1') WHERE id = 1; DELETE FROM step WHERE id = 1 AND version = 2`,
    ],
    ['repetition', `INSERT INTO walk VALUES (2, 3, md5('2/3'))`],
  ])('%s', async (kind, wrong) => {
    await bring(...BRING, wrong);
    await expect(seen()).rejects.toThrow(new RegExp(`^${kind}: row`));
  });
});

describe('what is found in the end', () => {
  test('loss', async () => {
    await bring(BRING[0], BRING[2].replace(/INSERT INTO step VALUES \(1[^;]*;/, ''));
    await expect(watcher.judge(source, target)).rejects.toThrow(/^loss: 3 steps \[2\/1/);
  });

  test('reordering', async () => {
    await bring(BRING[1], BRING[0], BRING[2], BRING[3]);
    await expect(judged()).rejects.toThrow(/^reordering: 1 steps \[2\/1|^reordering: 1 steps \[1\/1/);
  });

  test('half a transaction', async () => {
    const [first, second] = BRING[2].split(/;\s*(?=UPDATE walk .* WHERE id = 2)/);
    await bring(BRING[0], BRING[1], first!, second!, BRING[3]);
    await expect(judged()).rejects.toThrow(/^half a transaction: 1 source transactions/);
  });
});

test('a walker leaves rows in the states that its steps tell, and goes on after its session was ended', async () => {
  const walked = await freshDatabase('source');
  await createWalk(walked, await freshDatabase('target'));
  const walker = new Walker(() => walked.url, 7);
  const until = (count: number) => eventually(() => walker.transactions >= count, { within: 60_000 });
  await until(60);
  await walked.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await until(120);
  await walker.stop();
  const off = await walked.query(
    `SELECT id FROM (SELECT id, max(version) AS version, count(*), bool_or(gone) AS gone FROM step GROUP BY id) s
       FULL JOIN (SELECT id, version AS now FROM walk) w USING (id)
      WHERE s.version <> s.count OR s.gone = (w.now IS NOT NULL) OR w.now <> s.version`,
  );
  expect(off).toEqual([]);
});
