import { get } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OperationView } from '#schemas/http/operations.ts';
import type { PairView } from '#schemas/http/pairs.ts';
import { eventually } from '#test/support/eventually.ts';
import { accessibilityProblems, Browser, browserMissing, screenshot } from './browser.ts';
import { Product } from './product.ts';

const missing = await browserMissing();

/** What the pages show, each under an address of its own; those of the navigation must all be among them. */
const addresses: readonly { readonly path: string; readonly heading: string }[] = [
  { path: '/dashboard', heading: 'Overview' },
  { path: '/dashboard/pairs', heading: 'Pairs' },
  { path: '/dashboard/pairs/pacs-to-cama', heading: 'pacs-to-cama' },
  { path: '/dashboard/pairs/pacs-to-cama/tables', heading: 'pacs-to-cama' },
  { path: '/dashboard/pairs/pacs-to-cama/mapping', heading: 'pacs-to-cama' },
  { path: '/dashboard/pairs/pacs-to-cama/schema', heading: 'pacs-to-cama' },
  { path: '/dashboard/pairs/pacs-to-cama/slot', heading: 'pacs-to-cama' },
  { path: '/dashboard/pairs/pacs-to-cama/history', heading: 'pacs-to-cama' },
  { path: '/dashboard/pairs/pacs-to-cama/settings', heading: 'pacs-to-cama' },
  { path: '/dashboard/pairs/new/step/systems', heading: 'New pair' },
  { path: '/dashboard/systems', heading: 'Systems' },
  { path: '/dashboard/systems/new', heading: 'Register a system' },
  { path: '/dashboard/systems/county-pacs', heading: 'county-pacs' },
  { path: '/dashboard/systems/county-pacs/slots', heading: 'county-pacs' },
  { path: '/dashboard/systems/county-pacs/edit', heading: 'Change county-pacs' },
  { path: '/dashboard/operations', heading: 'Operations' },
  { path: '/dashboard/dead-letters', heading: 'Dead letters' },
  { path: '/dashboard/conflicts', heading: 'Conflicts' },
  { path: '/dashboard/alerts', heading: 'Alerts' },
  { path: '/dashboard/alerts/history', heading: 'Alerts' },
  { path: '/dashboard/alerts/rules', heading: 'Alerts' },
  { path: '/dashboard/alerts/self-healing', heading: 'Alerts' },
  { path: '/dashboard/audit', heading: 'Audit' },
  { path: '/dashboard/audit/summary', heading: 'Audit' },
  { path: '/dashboard/keys', heading: 'Keys' },
  { path: '/dashboard/settings', heading: 'Settings' },
  { path: '/dashboard/roles', heading: 'What each role may do' },
  { path: '/dashboard/nowhere', heading: 'No such page' },
];

/** One person's way through the dashboard of a running product: each test goes on where the one before has left it. */
describe('the dashboard', () => {
  let product: Product;
  let browser: Browser;

  beforeAll(async () => {
    if (missing !== undefined) return;
    product = await Product.create();
    product.start();
    await product.event('streaming', 90_000);
    browser = await Browser.open(product.url);
    browser.page.setDefaultTimeout(45_000);
  });
  afterAll(async () => {
    // Its page holds an event stream open: it goes first.
    await (browser as Browser | undefined)?.[Symbol.asyncDispose]();
    await (product as Product | undefined)?.[Symbol.asyncDispose]();
  });
  beforeEach(({ skip }) => {
    if (missing !== undefined) skip(missing);
  });

  const heading = (name: string) => browser.page.getByRole('heading', { level: 1, name, exact: true });
  const go = async (path: string, name: string): Promise<void> => {
    await browser.page.goto(path);
    await heading(name).waitFor();
  };
  const focused = (): Promise<string> => browser.page.evaluate<string>('document.activeElement.textContent.trim()');
  const figure = async (label: string): Promise<string> =>
    (await browser.page.locator('.figure', { hasText: label }).locator('dd').first().textContent()) ?? '';
  const pairState = async (): Promise<string> =>
    (await product.ask<PairView>('GET', '/api/sync-pairs/pacs-to-cama')).body.state;

  test('asks for a key at every address, says what is wrong with one, and goes on where one wanted to', async () => {
    const { page } = browser;
    await page.goto('/sync/terra_fusion/dashboard');
    const key = page.getByLabel('API key');
    await key.fill('tfk_nobody_0000000000000000000000000000000000000000000');
    await page.getByRole('button', { name: 'Sign in' }).click();
    const alert = page.getByRole('alert').filter({ hasText: 'UNAUTHENTICATED' });
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/request/);
    await screenshot(page, 'sign-in');
    await key.fill(await product.key());
    await page.getByRole('button', { name: 'Sign in' }).click();
    await heading('Overview').waitFor();
    expect(new URL(page.url()).pathname).toBe('/dashboard');
    // No script can read what opens from now on.
    expect(await page.evaluate('document.cookie + JSON.stringify({ ...sessionStorage, ...localStorage })')).toBe('{}');
  });

  test('comes with less than 150 kB, and without a word from elsewhere', async () => {
    const { page } = browser;
    await go('/dashboard', 'Overview');
    await page.locator('.plot canvas').first().waitFor();
    const names = await page.evaluate<string[]>(
      `performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => !name.includes('/api/'))`,
    );
    expect(names.filter((name) => !name.startsWith(`${product.url}/dashboard/`))).toEqual([]);
    const sizes = await Promise.all([`${product.url}/dashboard`, ...names].map(gzippedSize));
    expect(sizes.length).toBeGreaterThan(3);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
  });

  test('is live: figures and plots move by themselves', async () => {
    const { page } = browser;
    await go('/dashboard', 'Overview');
    const before = await eventually(async () => number(await figure('Changes applied')), { what: 'a figure' });
    await eventually(async () => number(await figure('Changes applied')) > before, { within: 45_000 });
    const plot = page.getByRole('img', { name: /^Changes applied a second\. all pairs: now [\d.]+, lowest/ });
    await plot.waitFor();
    const told = await plot.getAttribute('aria-label');
    await eventually(
      async () => (await page.getByRole('img', { name: /^Changes applied/ }).getAttribute('aria-label')) !== told,
      {
        within: 45_000,
      },
    );
  });

  test('shows what was before the page was opened, out of the history', async () => {
    const { page } = browser;
    await go('/dashboard?period=1h', 'Overview');
    await eventually(
      async () => {
        await page.reload();
        // A sample is taken every ten seconds: after the second one there is a line.
        await page
          .getByRole('img', { name: /^Changes applied a second\. all pairs: now [\d.]+/ })
          .waitFor({ timeout: 3000 });
        return true;
      },
      { within: 45_000, every: 500, what: 'a line of the history' },
    );
    await page.getByRole('button', { name: '24 hours' }).click();
    await eventually(() => new URL(page.url()).searchParams.get('period') === '24h');
  });

  test('pauses a pair and lets it go on', async () => {
    const { page } = browser;
    await go('/dashboard/pairs', 'Pairs');
    await page.getByRole('link', { name: 'pacs-to-cama' }).click();
    await heading('pacs-to-cama').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.locator('.page-title .badge', { hasText: /^paused$/ }).waitFor();
    expect(await pairState()).toBe('paused');
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.locator('.page-title .badge', { hasText: /^streaming$/ }).waitFor();
  });

  test('asks for the name before it does what cannot be undone', async () => {
    const { page } = browser;
    await go('/dashboard/pairs/pacs-to-cama/settings', 'pacs-to-cama');
    const button = page.getByRole('button', { name: 'Delete', exact: true });
    await button.click();
    const dialog = page.getByRole('dialog', { name: 'Delete pacs-to-cama?' });
    const sure = dialog.getByRole('button', { name: 'Delete' });
    await dialog.getByLabel('Type pacs-to-cama to go on').fill('pacs-to-came');
    expect(await sure.isDisabled()).toBe(true);
    await dialog.getByLabel('Type pacs-to-cama to go on').fill('pacs-to-cama');
    expect(await sure.isEnabled()).toBe(true);
    await screenshot(page, 'dialog');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect((await product.ask('GET', '/api/sync-pairs/pacs-to-cama')).status).toBe(200);
    expect(await focused()).toBe('Delete');
  });

  test('changes a setting, and shows what the gateway says of a wrong one at its field', async () => {
    const { page } = browser;
    await go('/dashboard/pairs/pacs-to-cama/settings', 'pacs-to-cama');
    const atOnce = page.getByLabel('Tables that a load copies at once');
    await atOnce.fill('99');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('.field-problem', { hasText: /./ }).first().waitFor();
    expect(await atOnce.getAttribute('aria-invalid')).toBe('true');
    await atOnce.fill('3');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('.toast.good').waitFor();
    const { body } = await product.ask<PairView>('GET', '/api/sync-pairs/pacs-to-cama');
    expect(body.definition.config).toMatchObject({ max_parallel_tables: 3 });
  });

  test('shows that the sync-service was killed, and that it has come back', async () => {
    const { page } = browser;
    await go('/dashboard', 'Overview');
    const service = page.locator('.components li', { has: page.getByText('sync-service', { exact: true }) });
    await service.locator('.badge', { hasText: /^up$/ }).waitFor();
    const first = await product.syncServicePid();
    process.kill(first, 'SIGKILL');
    await service.locator('.badge:not(.good)').waitFor();
    await eventually(async () => (await product.syncServicePid()) !== first, { within: 60_000 });
    await service.locator('.badge', { hasText: /^up$/ }).waitFor({ timeout: 60_000 });
    await page.locator('tbody .badge', { hasText: /^streaming$/ }).waitFor({ timeout: 60_000 });
  });

  test('leads from old bookmarks to the right page, and back again', async () => {
    const { page } = browser;
    const { body } = await product.ask<{ items: OperationView[] }>('GET', '/api/sync-operations?limit=1');
    const [operation] = body.items;
    for (const [old, now, name] of [
      ['/sync/jobs', '/dashboard/operations', 'Operations'],
      [`/sync/job/${operation!.id}`, `/dashboard/operations/${operation!.id}`, undefined],
      [`/sync/terra_fusion/job/${operation!.id}`, `/dashboard/operations/${operation!.id}`, undefined],
      ['/sync/conflicts', '/dashboard/conflicts', 'Conflicts'],
      ['/sync/terra_fusion/conflicts/7', '/dashboard/conflicts', 'Conflicts'],
      ['/sync/dashboard', '/dashboard', 'Overview'],
    ] as const) {
      await page.goto(old);
      await page.getByRole('heading', { level: 1, ...(name === undefined ? {} : { name, exact: true }) }).waitFor();
      await eventually(() => new URL(page.url()).pathname === now, { what: `${old} to become ${now}` });
    }
    await page.getByRole('link', { name: 'Pairs', exact: false }).first().click();
    await heading('Pairs').waitFor();
    await page.goBack();
    await heading('Overview').waitFor();
  });

  test('is used with the keyboard: a way around the navigation, rows by arrow, the heading after each step', async () => {
    const { page } = browser;
    await go('/dashboard/operations', 'Operations');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await page.getByRole('link', { name: 'Overview' }).focus();
    await page.keyboard.press('Enter');
    await heading('Overview').waitFor();
    await eventually(async () => (await focused()) === 'Overview', { what: 'the heading to have the focus' });
    await go('/dashboard/pairs/pacs-to-cama/tables', 'pacs-to-cama');
    const buttons = page.locator('tbody tr').locator('button:has-text("Resync")');
    await buttons.first().focus();
    await page.keyboard.press('ArrowDown');
    const second = await page.locator('tbody tr').nth(1).locator('td').first().textContent();
    expect(await page.evaluate<string>('document.activeElement.closest("tr").cells[0].textContent')).toBe(second);
  });

  test('keeps the colours that somebody has chosen, without a flash of others', async () => {
    const { page } = browser;
    await go('/dashboard', 'Overview');
    await page.getByLabel('Colours').selectOption('dark');
    const ground = () => page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
    const dark = await ground();
    await go('/dashboard/pairs', 'Pairs');
    expect(await ground()).toBe(dark);
    await page.getByLabel('Colours').selectOption('light');
    expect(await ground()).not.toBe(dark);
    await page.getByLabel('Colours').selectOption('system');
  });

  test('has every page of its navigation in the list below', async () => {
    await go('/dashboard', 'Overview');
    const links = await browser.page.evaluate<string[]>(
      `[...document.querySelectorAll('nav[aria-label="Pages"] a')].map((link) => link.getAttribute('href'))`,
    );
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) expect(addresses.map(({ path }) => path)).toContain(link);
  });

  test.each(addresses)(
    'is accessible at $path: light and dark, on a telephone and wide',
    async ({ path, heading: name }) => {
      const { page } = browser;
      await go(path, name);
      await eventually(async () => (await page.locator('.loading').count()) === 0, { what: 'everything to be read' });
      for (const colorScheme of ['light', 'dark'] as const) {
        for (const width of [360, 1360]) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 860 });
          expect(await accessibilityProblems(page), `${colorScheme} ${width}`).toEqual([]);
          const [needed, given] = await page.evaluate<[number, number]>(
            '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
          );
          expect(needed, `width at ${width}`).toBeLessThanOrEqual(given);
          await screenshot(page, `${path.slice(1).replaceAll('/', '-')}-${colorScheme}-${width}`);
        }
      }
    },
  );

  test('says since when it is cut off, and goes on by itself when the gateway is back', async () => {
    const { page } = browser;
    await page.emulateMedia({ colorScheme: null });
    await go('/dashboard/pairs/pacs-to-cama', 'pacs-to-cama');
    await product.killAll();
    await page.getByText('Disconnected since').waitFor();
    expect(await page.locator('.page-title').textContent()).toContain('pacs-to-cama');
    await screenshot(page, 'disconnected');
    product.start();
    await product.event('streaming', 90_000);
    await page.getByText('Disconnected since').waitFor({ state: 'detached', timeout: 60_000 });
  });

  test('shows a viewer what he may see, and no button that he may not press', async () => {
    const { page } = browser;
    const made = await product.ask<{ key: string }>('POST', '/api/keys', { name: 'the window', role: 'viewer' });
    await go('/dashboard', 'Overview');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').fill(made.body.key);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('the window').waitFor();
    expect(await page.getByRole('link', { name: 'Dead letters' }).count()).toBe(0);
    await go('/dashboard/pairs/pacs-to-cama', 'pacs-to-cama');
    expect(await page.getByRole('button', { name: /Pause|Resume/ }).count()).toBe(0);
  });

  test('has complained of nothing on the whole way: no error, nothing that the content policy refused', () => {
    expect(browser.complaints).toEqual([]);
  });
});

const number = (text: string): number => Number(text.replaceAll(',', ''));

/** Bytes of a reply's body as it travels to who takes gzip. */
function gzippedSize(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { headers: { 'accept-encoding': 'gzip' } }, (reply) => {
      let size = 0;
      reply.on('data', (chunk: Buffer) => (size += chunk.length));
      reply.on('end', () => {
        resolve(size);
      });
      reply.on('error', reject);
    }).on('error', reject);
  });
}
