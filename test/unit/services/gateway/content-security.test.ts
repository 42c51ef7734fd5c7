import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { describeUnless } from '#test/support/suites.ts';
import { withGateway } from './fixture.ts';

const gateway = withGateway();
const chromium = '/usr/bin/chromium';

describe('the content security policy', () => {
  test.each(['/dashboard', '/docs', '/docs/', '/api/status'])(
    'of %s allows nothing inline and nothing from elsewhere',
    async (path) => {
      const reply = await gateway.ask(path, { headers: { accept: 'text/html' } });
      expect(reply.status).toBe(200);
      const policy = Object.fromEntries(
        String(reply.headers['content-security-policy'])
          .split(';')
          .map((directive) => directive.trim().split(/ (.*)/s).slice(0, 2)),
      ) as Record<string, string>;
      expect(policy).toMatchObject({
        'default-src': "'none'",
        'script-src': "'self'",
        'connect-src': "'self'",
        'base-uri': "'none'",
        'form-action': "'none'",
        'frame-ancestors': "'none'",
      });
      // One style of the API reference's library, by the hash of its text.
      expect(policy['style-src']).toMatch(path.startsWith('/docs') ? /^'self' 'sha256-[\w+/=]{44}'$/ : /^'self'$/);
      for (const sources of Object.values(policy)) expect(sources).not.toMatch(/unsafe|http|\*/);
      expect(reply.headers['x-content-type-options']).toBe('nosniff');
      expect(reply.headers['referrer-policy']).toBe('no-referrer');
      expect(reply.headers['x-frame-options']).toBe('SAMEORIGIN');
    },
  );

  describeUnless(existsSync(chromium) ? undefined : 'there is no chromium here', 'in a browser', () => {
    let browser: Browser;
    beforeAll(async () => {
      const playwright = await import('playwright-core');
      browser = await playwright.chromium.launch({ executablePath: chromium, args: ['--no-sandbox'] });
    }, 60_000);
    afterAll(() => browser.close());

    test.each([
      ['/docs', '.swagger-ui .opblock'],
      ['/dashboard', 'body'],
    ])(
      '%s does without what it forbids',
      async (path, shown) => {
        const app = await gateway.another();
        const url = await app.listen({ host: '127.0.0.1', port: 0 });
        const page = await browser.newPage();
        const refused: string[] = [];
        page.on('console', (message) => {
          if (/Content Security Policy/i.test(message.text())) refused.push(message.text());
        });
        await page.goto(`${url}${path}`);
        await page.waitForSelector(shown, { timeout: 60_000, state: 'attached' });
        if (path === '/docs') await page.locator('.opblock-summary').first().click();
        expect(refused).toEqual([]);
        await page.close();
      },
      120_000,
    );
  });
});
