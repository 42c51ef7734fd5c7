import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PairView } from '#schemas/http/pairs.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { accessibilityProblems, Browser, browserMissing, screenshot } from './browser.ts';
import { Product } from './product.ts';

const missing = await browserMissing();
const ROWS = 40;
/** Every tenth row has no name. */
const BROKEN = 4;

/** From two databases to a pair that streams, in the browser alone: each test goes on where the one before has left it. */
describe('a pair made in the browser', () => {
  let product: Product;
  let browser: Browser;
  let page: Page;
  let source: TestDatabase;
  let target: TestDatabase;

  beforeAll(async () => {
    if (missing !== undefined) return;
    [source, target] = await Promise.all([freshDatabase('source'), freshDatabase('target')]);
    await source.query(`
      CREATE SCHEMA clerk;
      CREATE TABLE clerk.owner (id int PRIMARY KEY, name text, phone text, note text);
      INSERT INTO clerk.owner SELECT i, CASE WHEN i % 10 = 0 THEN '' ELSE 'owner ' || i END, '555-01' || i, 'secret note' FROM generate_series(1, ${ROWS}) i;
      CREATE TABLE clerk.log (line text);
      CREATE TABLE clerk.parcel (id int PRIMARY KEY);
      ANALYZE;`);
    product = await Product.create();
    product.start('--no-demo');
    await product.event('ready', 90_000);
    browser = await Browser.open(product.url);
    page = browser.page;
    page.setDefaultTimeout(45_000);
    await page.goto('/dashboard/systems');
    await page.getByLabel('API key').fill(await product.key());
    await page.getByRole('button', { name: 'Sign in' }).click();
    await heading('Systems').waitFor();
  });
  afterAll(async () => {
    // Its page holds an event stream open: it goes first.
    await (browser as Browser | undefined)?.[Symbol.asyncDispose]();
    await (product as Product | undefined)?.[Symbol.asyncDispose]();
  });
  beforeEach(({ skip }) => {
    if (missing !== undefined) skip(missing);
  });

  const heading = (name: string) => page.getByRole('heading', { level: 1, name, exact: true });
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const step = async (name: string): Promise<void> => {
    await page.waitForURL(`**/dashboard/pairs/new/step/${name}*`);
  };

  async function fillSystem(name: string, database: TestDatabase): Promise<void> {
    const { hostname, port, username, password, pathname } = new URL(database.url);
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByLabel('Host', { exact: true }).fill(hostname);
    await page.getByLabel('Port').fill(port);
    await page.getByLabel('Database', { exact: true }).fill(decodeURIComponent(pathname.slice(1)));
    await page.getByLabel('User', { exact: true }).fill(decodeURIComponent(username));
    await page.getByLabel('Password of the user').fill(decodeURIComponent(password));
    await button('Register').click();
  }

  /** No serious finding in light and dark, and nothing to scroll sideways on a narrow screen. */
  async function looksRight(name: string): Promise<void> {
    await screenshot(page, `wizard-${name}`);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await accessibilityProblems(page), `${name}, ${colorScheme}`).toEqual([]);
    }
    await screenshot(page, `wizard-${name}-dark`);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 390, height: 800 });
    await screenshot(page, `wizard-${name}-narrow`);
    expect(
      await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'),
      name,
    ).toBe(true);
    await page.setViewportSize({ width: 1360, height: 900 });
  }

  test('begins with a system, which is checked as soon as it is registered', async () => {
    await page.getByRole('link', { name: 'Register a system' }).first().click();
    await heading('Register a system').waitFor();
    await looksRight('register');
    await fillSystem('Not Good', source);
    await page.getByText('use 2 to 63 lower case letters').first().waitFor();
    await fillSystem('clerk-db', source);
    await heading('clerk-db').waitFor();
    const asSource = page.getByRole('region', { name: 'As a source' });
    await asSource.getByText('Looked at just now').waitFor();
    await page.getByRole('region', { name: 'As a target' }).getByText('Looked at just now').waitFor();
    expect(await asSource.getByText('wal_level is logical').count()).toBe(1);
    await page.getByText('fit as source and target').first().waitFor();
    await looksRight('system');
    await page.goto('/dashboard/systems');
    await page.getByRole('cell', { name: 'fit as source and target' }).waitFor();
    await looksRight('systems');
  });

  test('takes systems, the second one registered on the way', async () => {
    await page.goto('/dashboard/pairs');
    await page.getByRole('link', { name: 'New pair' }).click();
    await step('systems');
    await page.getByLabel('System that is the source').selectOption('clerk-db');
    await button('Register a new one as target').click();
    await fillSystem('county-db', target);
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.getByLabel('System that is the target').inputValue()).toBe('county-db');
    await looksRight('ends');
    // A secret is kept nowhere in the browser.
    const { password } = new URL(target.url);
    const kept = await page.evaluate<string>('JSON.stringify({ ...sessionStorage, ...localStorage })');
    expect(kept).toContain('county-db');
    expect(kept).not.toContain(decodeURIComponent(password));
    await button('On to tables').click();
  });

  test('shows the tables; one without a key cannot be chosen, and says why', async () => {
    await step('tables');
    const row = page.getByRole('row', { name: /clerk\.log/ });
    await row.getByText('not possible').waitFor();
    expect(await row.getByRole('checkbox').isDisabled()).toBe(true);
    await page.getByRole('checkbox', { name: 'clerk.owner' }).check();
    await page.getByText('1 table chosen').waitFor();
    await looksRight('tables');
    await button('On to mapping').click();
  });

  test('maps columns with the rows of the source before one’s eyes, and nothing is lost by a reload', async () => {
    await step('mapping');
    await page.getByLabel('Target table').fill('county.owner');
    await page.getByLabel('Name of name at the target').fill('owner_name');
    await page.getByRole('checkbox', { name: 'Take note' }).uncheck();
    await button('Edit name').click();
    await page.getByLabel('Add a step').selectOption('upper');
    await page.getByText('Now gives: OWNER 1 ·').waitFor();
    await button('Done').click();
    await button('Add a computed column').click();
    await page.getByLabel('Name at the target', { exact: true }).fill('twice');
    await page.getByLabel('Expression (CEL)').fill('row.idd * 2');
    await page.getByRole('alert').filter({ hasText: 'idd' }).first().waitFor();
    await page.getByLabel('Expression (CEL)').fill('row.id * 2');
    await page.getByText('Now gives: 2 · 4 ·').waitFor();
    await button('Done').click();
    const preview = page.getByRole('table', { name: 'Rows before and after' });
    await preview.getByRole('columnheader', { name: 'owner_name' }).waitFor();
    await preview.getByRole('cell', { name: 'OWNER 1', exact: true }).waitFor();
    await looksRight('mapping');
    await page.reload();
    await preview.getByRole('cell', { name: 'OWNER 1', exact: true }).waitFor();
    expect(await page.getByLabel('Name of name at the target').inputValue()).toBe('owner_name');
    await button('On to rules').click();
  });

  test('has a rule whose broken rows are counted before anything runs', async () => {
    await step('rules');
    await button('Add a rule').click();
    await page.getByLabel('Name of the rule').fill('has a name');
    const check = page.getByLabel('Has to be true (CEL)');
    await check.fill('row.name != ""');
    await page.getByRole('alert').filter({ hasText: 'name' }).first().waitFor();
    await check.fill('row.owner_name != ""');
    await page.getByText(`${BROKEN} of ${ROWS} sample rows break it`).waitFor();
    const broken = page.getByRole('table', { name: 'Rows before and after' }).getByRole('row', { name: /dead letter/ });
    await broken.first().getByText('rule "has a name" is broken').waitFor();
    await looksRight('rules');
    // "Back" is one step, and what was written stays.
    await page.goBack();
    await step('mapping');
    await page.goForward();
    await page.getByText(`${BROKEN} of ${ROWS} sample rows break it`).waitFor();
    await button('On to check').click();
  });

  test('is checked, with the proof of each column', async () => {
    await step('check');
    await page.getByText('the pair can be made').waitFor({ timeout: 120_000 });
    const columns = page.getByRole('table', { name: 'Columns of county.owner' });
    expect(await columns.getByRole('row', { name: /phone/ }).getByText('lossless').count()).toBe(1);
    await looksRight('check');
    await button('On to review').click();
  });

  test('is made, loads and streams; the rows that break the rule are among its dead letters', async () => {
    await step('review');
    await page.getByLabel('Name of the pair').fill('owners');
    await looksRight('review');
    await button('Make and start the pair').click();
    await heading('owners').waitFor();
    await page.getByRole('main').getByText('streaming').first().waitFor({ timeout: 120_000 });
    const count = () => target.value('SELECT count(*) FROM county.owner');
    await eventually(async () => (await count()) === String(ROWS - BROKEN), { within: 60_000, what: 'the rows' });
    expect(await target.query('SELECT * FROM county.owner WHERE id = 1')).toEqual([
      { id: 1, owner_name: 'OWNER 1', phone: '555-011', twice: '2' },
    ]);
    await source.query(`UPDATE clerk.owner SET name = 'cedar 1 holdings' WHERE id = 1`);
    await eventually(
      async () => (await target.value('SELECT owner_name FROM county.owner WHERE id = 1')) === 'CEDAR 1 HOLDINGS',
      { within: 60_000, what: 'the change' },
    );
    const { body } = await product.ask<PairView>('GET', '/api/sync-pairs/owners');
    expect(body).toMatchObject({ dead_letters: BROKEN, source: { name: 'clerk-db' }, target: { name: 'county-db' } });
    // The next pair begins with nothing.
    expect(await page.evaluate('JSON.stringify({ ...sessionStorage })')).toBe('{}');
  });

  test('keeps its systems from being removed, and they say why', async () => {
    await page.goto('/dashboard/systems/clerk-db');
    await button('Remove').click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Type clerk-db to go on').fill('clerk-db');
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await dialog.getByText('still used by: owners').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('link', { name: 'Slots' }).click();
    await page.getByRole('cell', { name: 'needed' }).waitFor();
    await looksRight('slots');
    expect(browser.complaints).toEqual([]);
  });
});
