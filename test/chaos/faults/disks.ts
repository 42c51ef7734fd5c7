import { execFile } from 'node:child_process';
import { chown, mkdir, mkdtemp, open, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { eventually } from '#test/support/eventually.ts';
import type { TestPostgres } from '#test/support/postgres.ts';
import type { Family, Fault } from '../fault.ts';
import { Scene, type SceneOptions } from '../scene.ts';

const run = promisify(execFile);
const MIB = 2 ** 20;

/** A disk of its own, small. */
interface SmallDisk extends AsyncDisposable {
  readonly folder: string;
  /** Not a byte is free. */
  fill(): Promise<void>;
  /** What filled it is gone. */
  clear(): Promise<void>;
}

async function mountDisk(bytes: number): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'terrafusion-disk-'));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=755`, 'terrafusion-test', folder]);
  const filler = join(folder, 'filler');
  return {
    folder,
    fill: async () => {
      await using file = await open(filler, 'a');
      for (let size = MIB; size >= 1; size = Math.floor(size / 8)) {
        const piece = Buffer.alloc(size);
        try {
          for (;;) await file.write(piece);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
    },
    clear: () => rm(filler, { force: true }),
    [Symbol.asyncDispose]: async () => {
      // Somebody may still be about to close a file there.
      await run('umount', ['--lazy', folder]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function whyNoDisk(): Promise<string | undefined> {
  try {
    await using disk = await mountDisk(MIB);
    return disk.folder === '' ? 'it has no place' : undefined;
  } catch {
    return 'this user may not mount a disk of its own';
  }
}

const disks = new WeakMap<Scene, SmallDisk>();

const busDisk: Fault = {
  name: 'disk of the bus full',
  what: 'The data folder’s disk has no byte left until BUS_FULL is told; then there is room again.',
  outcome: 'recovers',
  strike: async (scene) => {
    const disk = disks.get(scene)!;
    await disk.fill();
    await scene.untilTold('BUS_FULL');
    await disk.clear();
  },
};

const targetDisk: Fault = {
  name: 'disk of the target full',
  what: 'The disk of the target’s tablespace has no byte left until TARGET_RESOURCES is told; then there is room again.',
  outcome: 'recovers',
  strike: async (scene) => {
    const disk = disks.get(scene)!;
    await disk.fill();
    await scene.untilTold('TARGET_RESOURCES');
    await disk.clear();
  },
};

const controlDisk: Fault = {
  name: 'disk of the control database full',
  what: 'The disk with all of its files, its WAL included, has no byte left for longer than leases last; then there is room again, and a server that has ended is started.',
  outcome: 'recovers',
  strike: async (scene) => {
    const disk = disks.get(scene)!;
    const { server, database } = scene.control;
    await disk.fill();
    await eventually(
      () =>
        database
          .query('CREATE TABLE public.no_room AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) n')
          .then(
            () => database.query('DROP TABLE public.no_room').then(() => false),
            () => true,
          ),
      { within: 30_000, what: 'the control database to have no room' },
    );
    await delay(12_000);
    await disk.clear();
    if (server.pid === undefined) await server.start();
  },
};

/** Safe mode: while the target is away the reader goes on taking the source's WAL into the bus, as far as its budget goes. */
const budget: Fault = {
  name: 'target away until the bus’s budget is used up',
  what: 'The target is cut off. The source’s slot moves on meanwhile, as far as BUS_MAX_BYTES goes; then reading waits (BUS_FULL), and goes on by itself.',
  outcome: 'recovers',
  strike: async (scene) => {
    const { database } = scene.source;
    scene.target.proxy.cut();
    await scene.untilTold('TARGET_UNREACHABLE');
    const confirmed = `SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE database = current_database() AND NOT temporary`;
    const before = await database.value(confirmed);
    const bulk = `INSERT INTO bulk SELECT n, repeat(md5(n::text), 60) FROM generate_series($1::int, $1::int + 9999) n`;
    // Promise 7: what the bus can take, the source need not keep.
    await database.query(bulk, [0]);
    await scene.untilConfirmed(before);
    for (let first = 10_000; first < 60_000; first += 10_000) await database.query(bulk, [first]);
    await scene.untilTold('BUS_FULL');
    scene.target.proxy.open();
  },
};

async function stage(options: SceneOptions, work: (scene: Scene) => Promise<void>, fault: Fault): Promise<void> {
  await using disk = await mountDisk((fault === budget ? 400 : fault === controlDisk ? 320 : 160) * MIB);
  const environment = { TERRAFUSION_DATA: join(disk.folder, 'data') };
  await using scene = await Scene.open({
    ...options,
    ...(fault === busDisk && { environment }),
    ...(fault === budget && { environment: { ...environment, BUS_MAX_BYTES: String(64 * MIB) } }),
    ...(fault === controlDisk && { prepareControl: (server) => moveServer(disk.folder, server) }),
    ...(fault === targetDisk && { prepareTarget: (target) => moveTo(disk.folder, target) }),
    prepareSource: async (source) => {
      await source.query('CREATE TABLE bulk (id int PRIMARY KEY, body text)');
    },
  });
  disks.set(scene, disk);
  await work(scene);
}

/** All of the server's files lie there from now on. */
async function moveServer(folder: string, server: TestPostgres): Promise<void> {
  const data = join(server.folder, 'data');
  const place = join(folder, 'data');
  await server.shutdown();
  await run('cp', ['-a', data, place]);
  await rm(data, { recursive: true });
  await symlink(place, data);
  await server.start();
}

/** The database's files lie there from now on. */
async function moveTo(
  folder: string,
  { server, database }: Pick<Scene['target'], 'server' | 'database'>,
): Promise<void> {
  const place = join(folder, 'tablespace');
  await mkdir(place);
  const { uid, gid } = await stat(join(server.folder, 'data'));
  await chown(place, uid, gid);
  const client = await server.connect();
  await client.query(`CREATE TABLESPACE small LOCATION '${place}'`);
  await client.query(`ALTER DATABASE "${database.name}" SET TABLESPACE small`);
  await client.end();
}

export const fullDisks: Family = {
  name: 'Disks',
  faults: [busDisk, budget, targetDisk, controlDisk],
  missing: whyNoDisk,
  stage,
};
