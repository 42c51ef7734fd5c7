import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { alertCodes } from '#schemas/alerts.ts';
import { runbookOf } from '#services/gateway/alerts/message.ts';
import { toHtml } from '#services/gateway/runbooks/markdown.ts';
import { withGateway } from './fixture.ts';

const gateway = withGateway();
const names = readdirSync(new URL('../../../../infra/runbooks', import.meta.url)).map((name) =>
  name.replace('.md', ''),
);
const open = (path: string) => gateway.ask(path, { as: 'nobody' });

describe('the runbooks', () => {
  test.each(alertCodes)('the page that the alert %s names is there, without a key', async (code) => {
    const { status, text, headers } = await open(runbookOf(code));
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).toContain('<h1>');
  });

  test('lead to each other and to nothing else: nobody needs a way out of the house', async () => {
    for (const page of ['/runbooks', ...names.map((name) => `/runbooks/${name}`)]) {
      const { text } = await open(page);
      const places = Array.from(text.matchAll(/(?:href|src)="([^"]*)"/g), ([, place]) => place!);
      expect(places.length).toBeGreaterThan(3);
      for (const place of places) {
        expect(place).toMatch(/^\/(runbooks|dashboard)(\/|$)/);
        expect((await open(place)).status, `${page} → ${place}`).toBe(200);
      }
      // Nothing of the Markdown is left over.
      const shown = text.replaceAll(/<(pre|code)>.*?<\/\1>/gs, '');
      expect(shown, page).not.toMatch(/\*\*|\]\(|^\s*(#|\||\d+\. |```)/m);
    }
  });

  test('that are not there are not found, whatever they are called', async () => {
    for (const name of ['none', 'style', '..%2Fdecisions%2F0001-own-replication-client', 'README.md'])
      expect((await open(`/runbooks/${name}`)).status, name).toBe(404);
  });
});

describe('their Markdown', () => {
  test('text stays text', () => {
    expect(toHtml('# A <b> & "c"\n\n`<script>` **is** not\nrun `**so**`')).toBe(
      '<h1>A &lt;b&gt; &amp; &quot;c&quot;</h1>\n<p><code>&lt;script&gt;</code> <strong>is</strong> not\nrun <code>**so**</code></p>',
    );
  });

  test('lists keep what is indented below their items', () => {
    expect(toHtml('1. one\n   more:\n   ```sql\n   SELECT 1\n     FROM a\n   ```\n2. two\n\nafter')).toBe(
      '<ol>\n<li><p>one\nmore:</p>\n<pre><code>SELECT 1\n  FROM a</code></pre></li>\n<li><p>two</p></li>\n</ol>\n<p>after</p>',
    );
  });

  test('tables and links to other pages', () => {
    expect(toHtml('| a | b |\n| --- | --- |\n| `x` | [lag.md](lag.md) |\n\n[out](https://example.org)')).toBe(
      '<table>\n<thead><tr><th>a</th><th>b</th></tr></thead>\n<tbody><tr><td><code>x</code></td><td><a href="/runbooks/lag">lag.md</a></td></tr></tbody>\n</table>\n<p>[out](https://example.org)</p>',
    );
  });
});
