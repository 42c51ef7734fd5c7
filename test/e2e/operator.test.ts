import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditView } from '#schemas/http/audit.ts';
import type { DeadLetterView } from '#schemas/http/dead-letters.ts';
import { eventually } from '#test/support/eventually.ts';
import { accessibilityProblems, Browser, browserMissing, screenshot } from './browser.ts';
import { Product } from './product.ts';

const missing = await browserMissing();
/** Properties of the demo county whose rows keep all rules; nobody but this test changes their pin. */
const [one, two, three] = [4242, 4343, 4444];
const RULE = 'pin has 12 digits';

/** What an operator does in a day, in the browser: each test goes on where the one before has left it. */
describe('the operator', () => {
  let product: Product;
  let browser: Browser;

  beforeAll(async () => {
    if (missing !== undefined) return;
    product = await Product.create();
    product.start();
    await product.event('streaming', 90_000);
    browser = await Browser.open(product.url);
    browser.page.setDefaultTimeout(45_000);
    await browser.page.goto('/dashboard');
    await signIn(await product.key());
  });
  afterAll(async () => {
    // Its page holds an event stream open: it goes first.
    await (browser as Browser | undefined)?.[Symbol.asyncDispose]();
    await (product as Product | undefined)?.[Symbol.asyncDispose]();
  });
  beforeEach(({ skip }) => {
    if (missing !== undefined) skip(missing);
  });

  const heading = (name: string | RegExp) => browser.page.getByRole('heading', { level: 1, name });
  const go = async (path: string, name: string | RegExp): Promise<void> => {
    await browser.page.goto(path);
    await heading(name).waitFor();
  };
  async function signIn(key: string): Promise<void> {
    await browser.page.getByLabel('API key').fill(key);
    await browser.page.getByRole('button', { name: 'Sign in' }).click();
    await heading('Overview').waitFor();
  }
  const letterOf = async (propId: number): Promise<DeadLetterView> =>
    await eventually(
      async () => {
        const path = `/api/dead-letters?state=open&table=pacs.property&text=${encodeURIComponent(`"prop_id": "${propId}"`)}`;
        return (await product.ask<{ items: DeadLetterView[] }>('GET', path)).body.items[0];
      },
      { within: 60_000, what: `a dead letter of property ${propId}` },
    );
  const pinOf = async (propId: number): Promise<string | undefined> =>
    (
      await product.query<{ parcel_pin: string }>(
        'county_cama',
        `SELECT parcel_pin FROM cama.parcel WHERE prop_id = ${propId}`,
      )
    )[0]?.parcel_pin;
  const breakPin = (propId: number) =>
    product.query('county_pacs', `UPDATE pacs.property SET geo_id = 'no pin ' || prop_id WHERE prop_id = ${propId}`);

  test('finds a row that a rule refused, and why', async () => {
    const { page } = browser;
    const before = await pinOf(one);
    await breakPin(one);
    const letter = await letterOf(one);
    await go('/dashboard/dead-letters', 'Dead letters');
    await page.getByLabel('Search').fill(`no pin ${one}`);
    await page.getByLabel('Rule').selectOption(RULE);
    const row = page.locator('tbody tr', { hasText: `no pin ${one}` });
    await row.waitFor();
    // The filter is in the address: a link shows the same list.
    await eventually(() => new URL(page.url()).searchParams.get('text') === `no pin ${one}`, { what: 'the address' });
    await row.getByRole('link', { name: `Rule “${RULE}”` }).click();
    await heading(`Dead letter ${letter.id}`).waitFor();
    await page.getByText(`The rule “${RULE}” refused the row`).waitFor();
    await page.getByText('The rule stands as it was').waitFor();
    await page.getByText('Correct the row in pacs.property at the source.').waitFor();
    const cells = page.getByRole('table', { name: 'Row of pacs.property' });
    expect(await cells.getByRole('row', { name: /geo_id/ }).textContent()).toContain(`no pin ${one}`);
    expect(await accessibilityProblems(page)).toEqual([]);
    await screenshot(page, 'dead-letter');
    // It was not written: the older row stays.
    expect(await pinOf(one)).toBe(before);
  });

  test('is alarmed by it and not by what the first load has found; sees to it, silences it, reads what to do', async () => {
    const { page } = browser;
    const letter = new URL(page.url()).pathname;
    await go('/dashboard/alerts', 'Alerts');
    const alert = page
      .getByRole('list', { name: 'Open alerts' })
      .locator('> li', { hasText: 'new dead letters within' });
    await alert.waitFor();
    await alert.getByRole('button', { name: 'I see to it' }).click();
    await alert.getByText('sees to it since').waitFor();
    await alert.getByRole('button', { name: 'Silence', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: /^Silence/ });
    await dialog.getByLabel('For', { exact: true }).selectOption('1');
    await dialog.getByLabel('Comment').fill('is being mended');
    expect(await accessibilityProblems(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Silence', exact: true }).click();
    await alert.getByText('“is being mended”').waitFor();
    await alert.getByText('silenced by').waitFor();
    await alert.getByRole('button', { name: 'End the silence' }).click();
    await alert.getByRole('button', { name: 'Silence', exact: true }).waitFor();
    expect(await alert.getByRole('button', { name: 'I see to it' }).count()).toBe(0);
    const { body } = await product.ask<{ items: AuditView[] }>('GET', '/api/audit?entity=alert');
    expect(body.items.map(({ action }) => action)).toEqual(['alert.silence', 'alert.silence', 'alert.acknowledge']);

    await alert.getByText('What to do').click();
    await alert.getByRole('link', { name: 'runbook' }).click();
    await heading('Dead letters').waitFor();
    expect(new URL(page.url()).pathname).toBe('/runbooks/dead-letters');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole('link', { name: 'All runbooks' }).click();
    await heading('Runbooks').waitFor();
    await go(letter, /^Dead letter/);
  });

  test('replays it, is told that it is refused again, and replays it mended', async () => {
    const { page } = browser;
    await page.getByRole('button', { name: 'Replay', exact: true }).click();
    const refused = page.locator('.notice.bad', { hasText: 'Refused again: the letter stays open' });
    await refused.waitFor();
    expect(await refused.textContent()).toContain('PAIR_ROW_INVALID');
    await page.locator('.page-title .badge', { hasText: /^open$/ }).waitFor();

    await page.getByRole('button', { name: 'Replay with other values' }).click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.getByRole('button', { name: 'Nothing changed yet' }).isDisabled()).toBe(true);
    await dialog.getByLabel('geo_id').fill('004242004242');
    expect(await accessibilityProblems(page)).toEqual([]);
    await screenshot(page, 'mend');
    await dialog.getByRole('button', { name: 'Replay with geo_id changed' }).click();
    await page.locator('.notice.good', { hasText: 'Replayed: the row is at' }).waitFor();
    await page.locator('.page-title .badge', { hasText: /^replayed$/ }).waitFor();
    expect(await pinOf(one)).toBe('004242004242');
    expect(await page.getByRole('button', { name: 'Discard' }).count()).toBe(0);

    await go(`/dashboard/dead-letters?text=no+pin+${one}`, 'Dead letters');
    await page.getByText('No dead letter is like this').waitFor();
    await go(`/dashboard/dead-letters?text=no+pin+${one}&state=replayed`, 'Dead letters');
    await page.locator('tbody tr', { hasText: `no pin ${one}` }).waitFor();
  });

  test('sees in the audit trail who did it, and what was and is', async () => {
    const { page } = browser;
    await go('/dashboard/audit?entity=dead_letter', 'Audit');
    await page.locator('tbody tr').first().getByRole('button', { name: 'Dead letter replayed' }).click();
    const entry = page.getByRole('dialog', { name: 'Dead letter replayed' });
    const { body } = await product.ask<{ items: AuditView[] }>('GET', '/api/audit?action=dead_letter.replay');
    const told = body.items[0]!;
    expect(await entry.textContent()).toContain(told.actor);
    expect(await entry.textContent()).toContain(told.request_id!);
    expect(await entry.textContent()).toContain(told.hash);
    const changed = entry.getByRole('row', { name: /changed: row\.geo_id/ });
    expect(await changed.textContent()).toContain(`no pin ${one}`);
    expect(await changed.textContent()).toContain('004242004242');
    expect(await entry.getByRole('row', { name: /prop_id/ }).count()).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    await screenshot(page, 'audit-entry');
    await entry.getByRole('button', { name: 'Close' }).click();
  });

  test('has the trail verified; a broken one is told with its first broken link', async () => {
    const { page } = browser;
    await page.getByRole('button', { name: 'Verify the trail' }).click();
    await page.locator('.notice.good', { hasText: 'The chain holds' }).waitFor();
    const broken = {
      ok: false,
      entries: 57,
      broken_at: '57',
      reason: 'its hash is not that of its content',
      head: null,
      removed: null,
    };
    await page.route('**/api/audit/verify', (route) => route.fulfill({ json: broken }));
    await page.getByRole('button', { name: 'Verify the trail' }).click();
    const notice = page.locator('.notice.bad', { hasText: 'The chain is broken' });
    await notice.waitFor();
    expect(await notice.textContent()).toMatch(/entry 57: its hash is not that of its content/);
    await page.unroute('**/api/audit/verify');
  });

  test('sees the trail in figures, and takes it along as CSV', async () => {
    const { page } = browser;
    await go('/dashboard/audit?entity=dead_letter', 'Audit');
    await page.getByRole('link', { name: 'Summary' }).click();
    await page.getByRole('link', { name: 'Dead letter replayed' }).waitFor();
    expect(new URL(page.url()).search).toBe('?entity=dead_letter');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export CSV' }).click(),
    ]);
    const csv = await readFile(await download.path(), 'utf8');
    expect(csv.split('\r\n')[0]).toContain('actor');
    expect(csv).toContain('dead_letter.replay');
  });

  test('discards all letters of a filter, after typing how many they are', async () => {
    const { page } = browser;
    await breakPin(two);
    await breakPin(three);
    await Promise.all([letterOf(two), letterOf(three)]);
    await go('/dashboard/dead-letters?text=no+pin', 'Dead letters');
    await page.getByRole('button', { name: 'Replay all 2' }).click();
    const replay = page.getByRole('dialog', { name: 'Replay 2 dead letters?' });
    await replay.getByRole('button', { name: 'Replay', exact: true }).click();
    const outcome = page.getByRole('dialog', { name: 'Replayed' });
    await outcome.getByText('2 letters refused again: still open.').waitFor();
    expect(await outcome.locator('.refused li').count()).toBe(2);
    await outcome.getByRole('button', { name: 'Close' }).click();

    await page.getByRole('button', { name: 'Discard all 2' }).click();
    const discard = page.getByRole('dialog', { name: 'Discard 2 dead letters?' });
    const sure = discard.getByRole('button', { name: 'Discard all 2' });
    expect(await discard.textContent()).toContain('2 open letters, chosen by:');
    expect(await sure.isDisabled()).toBe(true);
    await discard.getByLabel('Type discard 2 to go on').fill('discard 2');
    await sure.click();
    await page.getByText('2 letters discarded.').waitFor();
    await page.getByText('No dead letter is like this').waitFor();
    const { body } = await product.ask<{ items: AuditView[] }>('GET', '/api/audit?action=dead_letter.discard_all');
    expect(body.items).toMatchObject([{ after: { discarded: 2, filter: { text: 'no pin' } } }]);
  });

  test('changes a rule of the running pair: checked first, saved as shown, and nothing else is changed', async () => {
    const { page } = browser;
    type Tables = { source: string; rules: { name: string; on_failure?: string }[] }[];
    const stored = async (): Promise<Tables> =>
      (await product.ask<{ definition: { tables: Tables } }>('GET', '/api/sync-pairs/pacs-to-cama')).body.definition
        .tables;
    const before = await stored();
    await go('/dashboard/pairs/pacs-to-cama/mapping', 'pacs-to-cama');
    await page.getByRole('button', { name: 'Edit mapping and rules' }).click();
    await page.locator('.table-choice select').selectOption('pacs.property');
    // The editors of the wizard, with a preview on rows of the source.
    await page.getByRole('table', { name: 'Columns of pacs.property' }).waitFor();
    expect(await page.getByRole('button', { name: 'Check', exact: true }).isDisabled()).toBe(true);
    await page.getByRole('button', { name: /^Rules/ }).click();
    const rule = page.locator('.rules > li').first();
    expect(await rule.getByLabel('Name of the rule').inputValue()).toBe(RULE);
    await rule.getByLabel('When a row breaks it').selectOption('warn');
    await page.getByLabel(/^Load the changed tables anew/).uncheck();
    expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
    expect(await accessibilityProblems(page)).toEqual([]);
    await screenshot(page, 'edit-mapping');
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.getByText('the change can be saved').waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    const saved = page.getByRole('region', { name: 'cama.parcel ← pacs.property' });
    await saved.getByText('counted and written all the same').waitFor();
    expect(await stored()).toEqual(
      before.map((table) =>
        table.source === 'pacs.property'
          ? {
              ...table,
              rules: table.rules.map((each) => (each.name === RULE ? { ...each, on_failure: 'warn' } : each)),
            }
          : table,
      ),
    );
    // The stream goes on, and holds to it.
    await breakPin(one);
    await eventually(async () => (await pinOf(one)) === `0no pin ${one}`, {
      within: 60_000,
      what: 'the row to be written',
    });
  });

  test('starts an operation, watches it end, and keeps its report', async () => {
    const { page } = browser;
    await go('/dashboard/operations', 'Operations');
    await page.getByRole('button', { name: 'Start an operation' }).click();
    const dialog = page.getByRole('dialog', { name: 'Start an operation' });
    await dialog.getByLabel('Type', { exact: true }).selectOption('full');
    // Rows at the target would be replaced: that is asked for by name.
    await eventually(() => dialog.getByRole('button', { name: 'Start' }).isDisabled(), { what: 'Start to be locked' });
    await dialog.getByLabel('Type', { exact: true }).selectOption('incremental');
    await dialog.getByRole('button', { name: 'Start' }).click();
    await heading('Incremental sync of pacs-to-cama').waitFor();
    await page.locator('.page-title .badge', { hasText: /^completed$/ }).waitFor();
    await page.locator('tbody tr', { hasText: 'incremental sync asked for' }).first().waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await screenshot(page, 'operation');
    const links = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.report-links a')].map((link) => link.getAttribute('href'))`,
    );
    expect(links).toHaveLength(3);
    for (const link of links) {
      const reply = await page.request.get(link);
      expect([reply.status(), (await reply.text()).length > 100], link).toEqual([200, true]);
    }
    await go('/dashboard/operations?type=incremental&state=completed&within=1h', 'Operations');
    await page.locator('tbody tr', { hasText: 'Incremental sync' }).first().waitFor();
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await page.locator('tbody tr', { hasText: 'Full load' }).waitFor();
  });

  test('sees what the installation runs with, secrets masked', async () => {
    const { page } = browser;
    await go('/dashboard/settings', 'Settings');
    await page.getByRole('cell', { name: /RATE_LIMIT_PER_MINUTE/ }).waitFor();
    const row = page.locator('tbody tr', { hasText: 'RATE_LIMIT_PER_MINUTE' });
    expect(await row.textContent()).toContain('environment');
    await page.getByLabel('Exact times in').selectOption('local');
    await page.getByLabel('Exact times in').selectOption('utc');
    await go('/dashboard/roles', 'What each role may do');
    const pause = page.getByRole('row', { name: /POST \/api\/sync-pairs\/\{id\}\/pause/ });
    await pause.waitFor();
    expect((await pause.getByRole('cell').allTextContents()).map((text) => text.replace(/[✓–]/u, ''))).toEqual([
      'may not',
      'may',
      'may',
      'may',
    ]);
  });

  test('makes a key for somebody who only looks, which is shown once', async () => {
    const { page } = browser;
    await go('/dashboard/keys', 'Keys');
    await page.getByRole('button', { name: 'Make a key' }).click();
    const dialog = page.getByRole('dialog', { name: 'Make a key' });
    await dialog.getByLabel('Name').fill('the counter');
    await dialog.getByText('Looks at everything but rows of data.').waitFor();
    await dialog.getByRole('button', { name: 'Make the key' }).click();
    const shown = page.getByRole('dialog', { name: 'The key of the counter' });
    const key = await shown.getByLabel('The key').inputValue();
    expect(key).toMatch(/^tfk_/);
    await shown.getByRole('button', { name: 'I have kept it' }).click();
    await page.getByRole('row', { name: /the counter/ }).waitFor();
    expect(await page.content()).not.toContain(key);

    // Who signs in goes on where one was.
    await go('/dashboard', 'Overview');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signIn(key);
    await page.getByText('the counter').first().waitFor();
  });

  test('as that somebody is offered nothing that changes anything', async () => {
    const { page } = browser;
    for (const name of ['Dead letters', 'Keys']) expect(await page.getByRole('link', { name }).count()).toBe(0);
    await go('/dashboard/operations', 'Operations');
    await page.locator('tbody tr').first().waitFor();
    expect(await page.getByRole('button', { name: 'Start an operation' }).count()).toBe(0);
    await page.locator('tbody tr a').first().click();
    await heading(/of pacs-to-cama/).waitFor();
    await page.getByRole('heading', { name: 'What happened' }).waitFor();
    expect(await page.getByRole('button', { name: /Stop|Cancel|Resume|anew|incremental/ }).count()).toBe(0);
    await go('/dashboard/keys', 'Not for your role');
    expect(await page.getByRole('button', { name: 'Make a key' }).count()).toBe(0);
    await go('/dashboard/settings', 'Settings');
    await page.getByText('Signed out if left alone').waitFor();
    expect(await page.getByText('Settings in force').count()).toBe(0);
    const { body } = await product.ask<{ items: AuditView[] }>('GET', '/api/audit?action=session.create&limit=1');
    expect(body.items[0]!.actor).toMatch(/^the counter \(/);
  });

  test('is thrown out when the key is revoked', async () => {
    const { page } = browser;
    const { body } = await product.ask<{ items: { id: string; name: string }[] }>('GET', '/api/keys?role=viewer');
    const key = body.items.find(({ name }) => name === 'the counter')!;
    const gone = await fetch(new URL(`/api/keys/${key.id}`, product.url), {
      method: 'DELETE',
      headers: { 'x-api-key': await product.key() },
    });
    expect(gone.status).toBe(204);
    // The next thing that is read says so.
    await page.getByRole('link', { name: 'Operations' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
  });

  test('has seen no complaint of the browser on the whole way', () => {
    expect(browser.complaints).toEqual([]);
  });
});
