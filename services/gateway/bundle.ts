import { build, stop, type BuildResult } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { basename, extname, join, relative } from 'node:path';
import { StaticFile } from './static-files.ts';

/** The dashboard, ready to be sent. */
export interface Bundle {
  /** The one page: every address of the dashboard is answered with it. */
  readonly page: StaticFile;
  /** By name below /dashboard/: "assets/main-5QZ2LM7A.js". */
  readonly files: ReadonlyMap<string, StaticFile>;
}

const bundles = new Map<string, Promise<Bundle>>();

/**
 * Makes the dashboard's sources into what a browser takes, once for each process and in memory (infra/decisions/0029): a person has
 * no build step, an installation needs no writable folder, and what is served is what is in the folder.
 */
export function bundleDashboard(folder: string): Promise<Bundle> {
  let bundle = bundles.get(folder);
  if (!bundle) bundles.set(folder, (bundle = makeBundle(folder)));
  return bundle;
}

async function makeBundle(folder: string): Promise<Bundle> {
  let made;
  try {
    made = await build({
      absWorkingDir: folder,
      entryPoints: { main: 'main.tsx', theme: 'theme.ts' },
      outdir: 'assets',
      write: false,
      metafile: true,
      bundle: true,
      format: 'esm',
      // Each page's code comes when the page is opened.
      splitting: true,
      minify: true,
      // A name says which content it has: browsers keep it for ever.
      entryNames: '[name]-[hash]',
      chunkNames: '[name]-[hash]',
      target: ['es2022'],
      jsx: 'automatic',
      jsxImportSource: 'preact',
      // Of the folder's own tsconfig only what is said here counts: no file of the machine has a say.
      tsconfigRaw: {},
      legalComments: 'none',
      logLevel: 'silent',
    });
  } finally {
    // Its process has nothing more to do.
    await stop();
  }
  const files = new Map(
    made.outputFiles.map(({ path, contents }) => [
      `assets/${basename(path)}`,
      new StaticFile(Buffer.from(contents), extname(path), { immutable: true }),
    ]),
  );
  files.set('icon.svg', new StaticFile(await readFile(join(folder, 'icon.svg')), '.svg'));
  const template = await readFile(join(folder, 'page.html'), 'utf8');
  const page = fillIn(template, namesOf(made, folder));
  return { page: new StaticFile(Buffer.from(page), '.html'), files };
}

interface Names {
  readonly main: string;
  readonly theme: string;
  readonly css: string;
  /** What main imports at once: asked for with it and not after it. */
  readonly preload: readonly string[];
}

function namesOf({ metafile }: BuildResult<{ metafile: true }>, folder: string): Names {
  const outputs = Object.entries(metafile.outputs);
  const of = (entry: string) => outputs.find(([, { entryPoint }]) => entryPoint === entry)!;
  const address = (path: string) => `/dashboard/assets/${basename(relative(folder, path))}`;
  const [main, { imports, cssBundle }] = of('main.tsx');
  return {
    main: address(main),
    theme: address(of('theme.ts')[0]),
    css: address(cssBundle!),
    preload: imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => address(path)),
  };
}

function fillIn(template: string, { main, theme, css, preload }: Names): string {
  const links = preload.map((path) => `<link rel="modulepreload" href="${path}" />`).join('\n    ');
  return template
    .replace('{{main}}', main)
    .replace('{{theme}}', theme)
    .replace('{{css}}', css)
    .replace('{{preload}}', links);
}
