import { test } from 'vitest';
import { SeededRandom } from '#services/demo/random.ts';
import { crashPoints } from '#services/kernel/crash-points.ts';
import type { TestDatabase } from '#test/support/database.ts';
import type { Installation, TestPair } from '#test/support/installation.ts';
import { freshDatabase, freshInstallation, loneSource } from '#test/support/servers.ts';
import { Auditor, expectBooksEqual } from './auditor.ts';
import { bankTables, createBank, Mover } from './bank.ts';
import { killAt, killSomewhere } from './killer.ts';
import { startPoints, type StreamPoint } from './points.ts';

export interface ChaosOptions {
  readonly seed: number;
  /** Asked once a test runs: before, no broker may be there yet. */
  readonly brokers?: () => readonly string[];
}

const timeout = 30 * 60_000;

/** Kills at each named point while money moves, `rounds` times each. */
export function testStreamKills(points: readonly StreamPoint[], rounds: number, { seed, brokers }: ChaosOptions): void {
  test(
    `killed at each crash point while it streams, ${points.length * rounds} times (TEST_SEED=${seed})`,
    async () => {
      const random = new SeededRandom(seed);
      await underAudit({ seed, ...(brokers && { brokers }) }, async ({ installation, mover, pair }) => {
        for (let round = 0; round < rounds; round += 1) {
          await catchUp(installation, pair);
          for (const [point, special] of points) {
            mover.want(special);
            await killAt(installation, point, random.whole(1, special === undefined ? 20 : 2));
            mover.want(undefined);
          }
        }
      });
    },
    timeout,
  );
}

/** Kills at random moments while money moves: start-up, catching up and streaming included. */
export function testRandomKills(kills: number, { seed, brokers }: ChaosOptions): void {
  test(
    `killed at random moments, ${kills} times (TEST_SEED=${seed})`,
    async () => {
      const random = new SeededRandom(seed);
      await underAudit({ seed, ...(brokers && { brokers }) }, async ({ installation, mover }) => {
        for (let kill = 0; kill < kills; kill += 1) {
          mover.want(random.chance(0.2) ? random.pick(['large', 'swap', 'rule', 'refused']) : undefined);
          await killSomewhere(installation, random, [300, 2500]);
        }
      });
    },
    timeout,
  );
}

/** Kills a pair's first load at each point on its way, then at random moments, while money moves. */
export function testLoadKills(rounds: number, randomKills: number, { seed, brokers }: ChaosOptions): void {
  test(
    `killed during the first load, ${rounds * startPoints.length + randomKills} times (TEST_SEED=${seed})`,
    async () => {
      const random = new SeededRandom(seed);
      for (let round = 0; round < rounds; round += 1) {
        // One way from a new pair to a streaming one, with a kill at each point of it.
        await fromScratch({ seed: seed + round, ...(brokers && { brokers }) }, async (installation) => {
          for (const point of startPoints) await killAt(installation, point, 1);
        });
      }
      if (randomKills === 0) return;
      await fromScratch({ seed, ...(brokers && { brokers }) }, async (installation) => {
        for (let kill = 0; kill < randomKills; kill += 1) await killSomewhere(installation, random, [200, 1500]);
      });
    },
    timeout,
  );
}

/** A deleted pair is cleaned up after, also when that is cut short. */
export function testCleanUpKill({ seed, brokers }: ChaosOptions): void {
  test(
    `killed while a deleted pair is cleaned up (TEST_SEED=${seed})`,
    async () => {
      await underAudit({ seed, ...(brokers && { brokers }) }, async ({ installation, pair, source }) => {
        const other = await installation.addPair({
          source,
          target: await freshDatabase('target'),
          tables: [{ source: 'public.ledger' }],
        });
        const service = installation.startProcess();
        await other.until('streaming');
        await service.stop();
        await installation.control.pairs.delete(other.id);
        await killAt(installation, crashPoints.SUPERVISOR_PAIR_DELETED_NOT_CLEANED, 1);
        const second = installation.startProcess();
        await pair.until('streaming');
        await other.untilPurged();
        await second.stop();
      });
    },
    timeout,
  );
}

/** Killed again and again the service falls behind, and what a point waits for would come late. */
async function catchUp(installation: Installation, pair: TestPair): Promise<void> {
  const service = installation.startProcess();
  await pair.fence(300_000);
  await service.stop();
}

interface Scene {
  readonly installation: Installation;
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly pair: TestPair;
  readonly mover: Mover;
}

/** A streaming pair with money moving and an auditor reading, for `work` to harm; at the end both ends must be equal. */
async function underAudit(options: ChaosOptions, work: (scene: Scene) => Promise<void>): Promise<void> {
  await onStage(options, async (scene) => {
    const service = scene.installation.startProcess();
    await scene.pair.until('streaming');
    await service.stop();
    scene.mover.beHarsh();
    await work(scene);
  });
}

/** The same with a pair that has not begun. */
async function fromScratch(options: ChaosOptions, work: (installation: Installation) => Promise<void>): Promise<void> {
  await onStage(options, ({ installation }) => work(installation));
}

async function onStage({ seed, brokers }: ChaosOptions, work: (scene: Scene) => Promise<void>): Promise<void> {
  const [source, target] = [await loneSource(), await freshDatabase('target')];
  await createBank(source, target);
  await using installation = await freshInstallation(brokers && { brokers: brokers() });
  const mover = new Mover(() => source.url, seed);
  const auditor = new Auditor(target);
  try {
    const pair = await installation.addPair({ source, target, tables: bankTables });
    await work({ installation, source, target, pair, mover });
    await mover.stop();
    const last = installation.startProcess();
    await pair.until('streaming');
    await pair.fence(120_000);
    await expectBooksEqual(source, target, pair);
    await last.stop();
  } finally {
    await mover.stop();
    await auditor.stop();
  }
  if (auditor.moved < 2) throw new Error('The auditor has seen nothing move');
}
