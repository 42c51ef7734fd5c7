import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const defaultCache = fileURLToPath(new URL('../../node_modules/.cache/terrafusion-kafka/', import.meta.url));

/** The `java` to run: of JAVA_HOME when that is set. */
export const java = process.env.JAVA_HOME === undefined ? 'java' : join(process.env.JAVA_HOME, 'bin', 'java');

/** Why no broker can be started here, in a sentence; undefined when one can. */
export async function whyNoBroker(cacheFolder = defaultCache): Promise<string | undefined> {
  if (process.platform === 'win32') return 'The broker for development starts on Linux and macOS only.';
  const version = await run(java, ['-version']).then(
    ({ stderr }) => Number(/version "(?:1\.)?(\d+)/.exec(stderr)?.[1] ?? 0),
    () => undefined,
  );
  if (version === undefined) return 'There is no Java here; Kafka needs version 17 or newer.';
  if (version < 17) return `Kafka needs Java 17 or newer; here is ${version}.`;
  if ((await cachedClassPath(await cacheFile(cacheFolder))) !== undefined) return undefined;
  return await run('mvn', ['-version']).then(
    () => undefined,
    () => 'There is no Maven here, which fetches the broker.',
  );
}

/**
 * The broker's class path. Maven resolves it once (it fetches about 50 MB if it has never done so) and the result is kept in
 * the cache folder, so that later starts need neither Maven nor a network.
 */
export async function classPath(cacheFolder = defaultCache): Promise<string> {
  const file = await cacheFile(cacheFolder);
  const cached = await cachedClassPath(file);
  if (cached !== undefined) return cached;
  await mkdir(cacheFolder, { recursive: true });
  const draft = `${file}.${process.pid}`;
  try {
    const goal = ['dependency:build-classpath', `-Dmdep.outputFile=${draft}`];
    await run('mvn', ['--batch-mode', '--quiet', '--file', pom, ...goal], { timeout: 600_000 });
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    throw new Error(`Maven could not fetch the Kafka broker: ${(stderr + stdout).trim().slice(-1000)}`, { cause });
  }
  // Several test processes may do this at the same time; each puts a whole file there.
  await rename(draft, file);
  return await readFile(file, 'utf8');
}

/** Named by what the pom says: another version is another file. */
async function cacheFile(folder: string): Promise<string> {
  const hash = createHash('sha256').update(await readFile(pom));
  return join(folder, `classpath-${hash.digest('hex').slice(0, 12)}.txt`);
}

/** Undefined when it was never resolved, or when a jar has gone since. */
async function cachedClassPath(file: string): Promise<string | undefined> {
  try {
    const cached = await readFile(file, 'utf8');
    await Promise.all(cached.split(delimiter).map((jar) => access(jar)));
    return cached;
  } catch {
    return undefined;
  }
}
