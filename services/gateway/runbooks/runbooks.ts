import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StaticFile } from '../static-files.ts';
import { toHtml } from './markdown.ts';

/** The index is the folder's README. */
export const INDEX = 'README';
const style = fileURLToPath(new URL('runbooks.css', import.meta.url));

export interface Runbooks {
  /** By name without ".md". */
  readonly pages: ReadonlyMap<string, StaticFile>;
  readonly style: StaticFile;
}

/** The runbooks as pages of the gateway: who needs one may have no way to anywhere else. */
export async function readRunbooks(folder: string): Promise<Runbooks> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.md'));
  const pages = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8');
      return [basename(name, '.md'), new StaticFile(Buffer.from(pageOf(text)), '.html')] as const;
    }),
  );
  return { pages: new Map(pages), style: new StaticFile(await readFile(style), '.css') };
}

function pageOf(markdown: string): string {
  const body = toHtml(markdown);
  const title = /<h1>(.*?)<\/h1>/.exec(body)?.[1] ?? 'Runbook';
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${title.replaceAll(/<[^>]+>/g, '')} · TerraFusion Sync</title>
    <link rel="stylesheet" href="/runbooks/style.css" />
    <link rel="icon" href="/dashboard/icon.svg" type="image/svg+xml" />
  </head>
  <body>
    <nav><a href="/dashboard">Dashboard</a> <a href="/runbooks">All runbooks</a></nav>
    <main>
${body}
    </main>
  </body>
</html>
`;
}
