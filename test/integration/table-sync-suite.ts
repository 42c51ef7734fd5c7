import { expect, test } from 'vitest';
import { tableInput } from '#schemas/pairs.ts';
import { formatTableName } from '#schemas/tables.ts';
import { followTables, syncOf, tableDifferences } from '#services/control/pair-members.ts';
import { endsOf } from '#services/control/in-force.ts';
import { activeStates, type TableSyncRecord, type TableSyncState } from '#services/control/table-syncs.ts';
import { SeededRandom } from '#services/demo/random.ts';
import { Auditor } from '#test/chaos/auditor.ts';
import { bankTables, createBank, Mover } from '#test/chaos/bank.ts';
import { eventually, Hopeless } from '#test/support/eventually.ts';
import type { Installation, TestPair } from '#test/support/installation.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation, loneSource } from '#test/support/servers.ts';
import { workloadTables } from '#test/support/workload/tables.ts';
import { createWorkloadTables, runWorkload } from '#test/support/workload/workload.ts';

const ended: readonly TableSyncState[] = ['done', 'left_out', 'cancelled', 'overtaken'];

/** A pair's table syncs, as the gateway would ask for them. */
export class PairSyncs {
  readonly #installation: Installation;
  readonly #pair: TestPair;

  constructor(installation: Installation, pair: TestPair) {
    this.#installation = installation;
    this.#pair = pair;
  }

  /** Returns the sync's number. */
  async resync(...names: readonly string[]): Promise<number> {
    await this.#installation.control.transaction(async ({ tableSyncs, pairs }) => {
      const pair = await pairs.lock(this.#pair.id);
      const tables = names.map((name) => endsOf({ source: name }));
      const incomplete = pair.syncs.some(
        (sync) => sync.state === 'left_out' && tables.some((table) => has(sync, formatTableName(table.source))),
      );
      await tableSyncs.request(pair.id, { kind: incomplete ? 'change' : 'resync', tables, requestedBy: 'test' });
    });
    return (await this.list())[0]!.number;
  }

  /** The pair has these tables from now on. */
  async change(names: readonly string[], inputs: readonly object[] = []): Promise<void> {
    await this.#installation.control.transaction(async (transaction) => {
      const before = await transaction.pairs.lock(this.#pair.id);
      const tables = [...names.map((source) => ({ source })), ...inputs].map((input) => tableInput.parse(input));
      const after = await transaction.pairs.change(before.id, { definition: { ...before.definition, tables } });
      const differences = tableDifferences(before, after);
      await followTables(transaction, before.id, differences, { requestedBy: 'test', changedToo: true });
    });
  }

  list(): Promise<TableSyncRecord[]> {
    return this.#installation.control.tableSyncs.list(this.#pair.id);
  }

  async cancel(number: number): Promise<void> {
    await this.#installation.control.tableSyncs.requestCancel({ pairId: this.#pair.id, number });
  }

  /** Whether a sync of the table is under way. */
  async isBusy(name: string): Promise<boolean> {
    const pair = await this.#installation.control.pairs.get(this.#pair.id);
    return syncOf(pair, [endsOf({ source: name })]) !== undefined;
  }

  async until(number: number, ...wanted: readonly TableSyncState[]): Promise<TableSyncRecord> {
    let last = '';
    return eventually(
      async () => {
        const sync = (await this.list()).find((each) => each.number === number)!;
        last = `${sync.state}, ${sync.error ? `${sync.error.code}: ${sync.error.message}` : 'without an error'}`;
        if (wanted.includes(sync.state)) return sync;
        if (ended.includes(sync.state)) throw new Hopeless(`The sync is ${last}`);
        return undefined;
      },
      { within: 90_000, what: `the sync to be ${wanted.join(' or ')}` },
    ).catch((cause: unknown) => {
      throw new Error(`The sync is ${last}`, { cause });
    });
  }

  /** Until no sync is under way. */
  async untilSettled(): Promise<void> {
    await eventually(async () => (await this.list()).every(({ state }) => !activeStates.includes(state)), {
      within: 120_000,
      what: 'all table syncs to end',
    }).catch(async (cause: unknown) => {
      throw new Error(
        JSON.stringify(await this.list(), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
        { cause },
      );
    });
  }

  /** Source tables that are left out. */
  async leftOut(): Promise<string[]> {
    const { syncs } = await this.#installation.control.pairs.get(this.#pair.id);
    return syncs
      .filter(({ state }) => state === 'left_out')
      .flatMap((sync) => sync.tables.map(({ source }) => formatTableName(source)));
  }
}

const has = (sync: TableSyncRecord, name: string): boolean =>
  sync.tables.some(({ source }) => formatTableName(source) === name);

export interface RandomSyncs {
  readonly seed: number;
  readonly transactions: number;
  /** One action every so many transactions. */
  readonly every: number;
  readonly brokers?: () => readonly string[];
}

/**
 * Tables are resynced, taken out, taken in again and cancelled at random while others write to all of them. At the end both ends are equal,
 * and whoever read the other tables meanwhile never saw a part of a transaction. (Promises 2, 3 and 5)
 */
export function testRandomSyncs({ seed, transactions, every, brokers }: RandomSyncs): void {
  test(`tables come and go at random while all are written to (TEST_SEED=${seed})`, async () => {
    const random = new SeededRandom(seed);
    const [source, target] = [await loneSource(), await freshDatabase('target')];
    await createWorkloadTables(source);
    await createBank(source, target);
    await runWorkload(source, { seed, transactions: 80 });
    const installation = await freshInstallation(brokers ? { brokers: brokers() } : {});
    const service = installation.start();
    const all = workloadTables.map(({ name }) => name);
    const pair = await installation.addPair({
      source,
      target,
      tables: [...bankTables, ...all.map((name) => ({ source: name }))],
      config: { existing_rows: 'replace' },
    });
    await pair.until('streaming');
    const mover = new Mover(() => source.url, seed);
    const auditor = new Auditor(target);
    const syncs = new PairSyncs(installation, pair);
    const members = new Set(all);
    const seen = new Map<string, number>();
    const note = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);

    const act = async (): Promise<void> => {
      const under = (await syncs.list()).filter(({ state }) => activeStates.includes(state));
      if (under.length > 0 && random.chance(0.3)) {
        await syncs.cancel(random.pick(under as [TableSyncRecord, ...TableSyncRecord[]]).number);
        note('cancel');
        return;
      }
      const free: string[] = [];
      for (const name of all) if (!(await syncs.isBusy(name))) free.push(name);
      if (free.length === 0) return;
      const name = random.pick(free as [string, ...string[]]);
      if (!members.has(name)) {
        members.add(name);
        await syncs.change([...members], bankTables);
        note('add');
      } else if (random.chance(0.3)) {
        members.delete(name);
        await syncs.change([...members], bankTables);
        note('remove');
      } else {
        const second = random.pick(free as [string, ...string[]]);
        await syncs.resync(...new Set([name, members.has(second) ? second : name]));
        note('resync');
      }
    };
    try {
      await runWorkload(source, {
        seed: seed + 1,
        transactions,
        onTransaction: (number) => (number % every === 0 ? act() : undefined),
      });
      await syncs.untilSettled();
      // Everything that was left out, or is no member any more, comes back.
      for (const name of all) members.add(name);
      await syncs.change([...members], bankTables);
      const leftOut = await syncs.leftOut();
      if (leftOut.length > 0) await syncs.resync(...leftOut);
      await syncs.untilSettled();
      expect(await syncs.leftOut()).toEqual([]);
      await mover.stop();
      await pair.fence();
      expect([...seen.keys()].length).toBeGreaterThan(2);
      await expectSameRows(source, target, [...all, 'public.checking', 'public.savings', 'public.ledger']);
      expect(await target.query("SELECT FROM _terrafusion.applied_positions WHERE pair_id LIKE '%/%'")).toEqual([]);
    } finally {
      await mover.stop();
      await auditor.stop();
      await service.stop();
    }
  });
}
