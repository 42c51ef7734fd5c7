import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes the log files of `name` in `folder` except those of the `days` latest days there are.
 * A folder or a file that is not there is no error: another process of the same name may be tidying up too.
 */
export async function removeOldLogs(folder: string, name: string, days: number): Promise<void> {
  const files = (await readdir(folder).catch(() => [])).flatMap((file) => {
    const match = /^(.+)\.(\d{4}-\d{2}-\d{2})\.\d+\.log$/.exec(file);
    return match?.[1] === name ? [{ file, date: match[2]! }] : [];
  });
  const kept = new Set([...new Set(files.map(({ date }) => date))].sort().slice(-days));
  await Promise.all(
    files.filter(({ date }) => !kept.has(date)).map(({ file }) => rm(join(folder, file), { force: true })),
  );
}
