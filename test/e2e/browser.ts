import { access, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

/** The operating system's; none is downloaded. */
const executable = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const artefacts = fileURLToPath(new URL('../artefacts/dashboard/', import.meta.url));

/** Why no browser can be used here; undefined when one can. @throws when one is required (TERRAFUSION_REQUIRE_BROWSER=1) */
export async function browserMissing(): Promise<string | undefined> {
  const found = await access(executable).then(
    () => true,
    () => false,
  );
  if (found) return undefined;
  const reason = `there is no browser at ${executable}: install Debian's chromium, or name one with CHROMIUM`;
  if (process.env['TERRAFUSION_REQUIRE_BROWSER'] === '1') throw new Error(reason);
  return reason;
}

/** A browser of a test's own, with a profile that nobody has used. */
export class Browser implements AsyncDisposable {
  readonly context: BrowserContext;
  /** What the page said that it should not have: errors, refused scripts and styles, answers that were no success. */
  readonly complaints: string[] = [];
  readonly #profile: string;

  static async open(url: string): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'terrafusion-browser-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: executable,
      headless: true,
      baseURL: url,
      chromiumSandbox: false,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
      viewport: { width: 1360, height: 900 },
    });
    return new Browser(context, profile);
  }

  private constructor(context: BrowserContext, profile: string) {
    this.context = context;
    this.#profile = profile;
    context.on('weberror', (error) => this.complaints.push(String(error.error())));
    context.on('console', (message) => {
      // What the network tells is expected while a test kills things.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        this.complaints.push(message.text());
    });
  }

  get page(): Page {
    return this.context.pages()[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** For a person to look at: test/artefacts/dashboard/<name>.png */
export async function screenshot(page: Page, name: string): Promise<void> {
  await mkdir(artefacts, { recursive: true });
  await page.screenshot({ path: join(artefacts, `${name}.png`), fullPage: true, animations: 'disabled' });
}

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[];
}

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds of WCAG A and AA, serious and critical, one line each. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  // By the debugger and not as a script of the page: the content policy stays as it is.
  const found = await page.evaluate(
    async ([source]) => {
      const global = globalThis as unknown as {
        axe?: { run(options: object): Promise<{ violations: Violation[] }> };
      };
      if (!global.axe) (0, eval)(source!);
      const { violations } = await global.axe!.run({
        runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] },
        resultTypes: ['violations'],
      });
      return violations;
    },
    [axe],
  );
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${help} (${target.join(' ')})`));
}
