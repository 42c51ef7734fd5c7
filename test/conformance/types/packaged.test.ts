import { beforeAll, describe, expect, test } from 'vitest';
import { freshInstallation, loneServer } from '#test/support/servers.ts';
import { packagedPostgres } from '#test/support/versions.ts';
import { packagedCases } from './cases/index.ts';
import { type MatrixResult, runMatrix, split } from './matrix.ts';
import type { TypeCase } from './type-case.ts';

/** PostGIS and pgvector come with the operating system's packages (.ci/run installs them where they exist), for its own server. */
const [binaries] = await packagedPostgres();
const NO_SERVER = 'the operating system has no PostgreSQL of its own in /usr/lib/postgresql';

describe('CHECKLIST 25: types of packaged extensions', () => {
  let result: MatrixResult | undefined;
  let lacking = new Map<TypeCase, string>();

  beforeAll(async () => {
    if (binaries === undefined) return;
    const server = await loneServer(binaries);
    const [source, target] = [await server.createDatabase('source'), await server.createDatabase('target')];
    const { possible, missing } = await split(packagedCases, source, target);
    lacking = missing;
    if (possible.length > 0)
      result = await runMatrix(possible, { source, target, installation: await freshInstallation() });
  });

  for (const type of packagedCases) {
    test(type.name, ({ skip }) => {
      skip(binaries === undefined, NO_SERVER);
      skip(lacking.has(type), lacking.get(type));
      expect(result!.loaded.get(type)).toEqual({});
      expect(result!.streamed.get(type)).toEqual({});
      expect(result!.letters).toEqual([]);
    });
  }
});
