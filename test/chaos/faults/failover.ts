import { databaseAt } from '#test/support/database.ts';
import { startPrimaryAndStandby, type PrimaryAndStandby } from '#test/support/standby.ts';
import { FAST } from '#test/support/shared-servers.ts';
import type { Family, Fault } from '../fault.ts';
import { Scene } from '../scene.ts';
import { resync } from './fixes.ts';

const pairs = new WeakMap<Scene, PrimaryAndStandby>();

/** The primary dies, the standby is promoted, and the source's address leads there. */
async function failOver(scene: Scene): Promise<void> {
  const servers = pairs.get(scene)!;
  await servers.failOver();
  scene.moveSource(servers.standby, databaseAt(servers.standby.url(scene.source.database.name)));
}

const slotOf = (scene: Scene): Promise<string> =>
  scene.source.database.value(
    `SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical' AND NOT temporary`,
  );

const withSlot: Fault = {
  name: 'failover with a synchronised slot',
  what: 'The primary is killed, the standby, which has the slot and all WAL, is promoted; the address leads there.',
  outcome: 'recovers',
  strike: async (scene) => {
    const servers = pairs.get(scene)!;
    await servers.untilSynced(await slotOf(scene), scene.source.database);
    await scene.rest();
    await servers.untilReplayed();
    await failOver(scene);
    scene.goOn();
  },
};

const withoutSlot: Fault = {
  name: 'failover without the slot',
  what: 'Likewise, with a standby that does not synchronise slots.',
  outcome: { halts: 'SOURCE_SLOT_MISSING', fix: 'Resync the pair.' },
  strike: async (scene) => {
    const servers = pairs.get(scene)!;
    await scene.rest();
    await servers.untilReplayed();
    await failOver(scene);
    scene.goOn();
  },
  fix: resync,
};

const withLoss: Fault = {
  name: 'failover that loses what was replicated',
  what: 'The standby has the slot, but not the last transactions, which the target has already: it must not be gone on from there.',
  outcome: { halts: 'SOURCE_HISTORY_LOST', fix: 'Resync the pair.' },
  strike: async (scene) => {
    const servers = pairs.get(scene)!;
    await servers.untilSynced(await slotOf(scene), scene.source.database);
    await servers.cutOff();
    const before = scene.walker.transactions;
    while (scene.walker.transactions < before + 20) await scene.untilInStep();
    await scene.rest();
    await scene.untilInStep();
    await servers.failOver();
    // Beyond where the old one had been, so that by its location alone it looks like the same.
    await servers.askStandby(`SELECT pg_logical_emit_message(false, 'fill', repeat('x', 20000000))`);
    scene.moveSource(servers.standby, databaseAt(servers.standby.url(scene.source.database.name)));
    scene.goOn();
  },
  fix: resync,
};

export const failover: Family = {
  name: 'Failover of the source',
  faults: [withSlot, withoutSlot, withLoss],
  stage: async (options, work, fault) => {
    let name = '';
    await using servers = await startPrimaryAndStandby({ ...FAST, wal_sender_timeout: '10s' }, async (primary) => {
      ({ name } = await primary.createDatabase('source'));
    });
    if (fault === withoutSlot) {
      await servers.askStandby('ALTER SYSTEM SET sync_replication_slots = off');
      await servers.askStandby('SELECT pg_reload_conf()');
    }
    const source = { server: servers.primary, database: databaseAt(servers.primary.url(name)) };
    await using scene = await Scene.open({ ...options, source });
    pairs.set(scene, servers);
    await work(scene);
  },
};
