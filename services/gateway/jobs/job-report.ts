import type { JobReport } from '#schemas/http/jobs.ts';
import { csvLine } from '../csv.ts';

/** The events as a table for a spreadsheet, RFC 4180. */
export function reportCsv({ events }: JobReport): string {
  const lines = events.map(({ at, actor, action, outcome, details }) =>
    csvLine([at, actor, action, outcome, JSON.stringify(details ?? null)]),
  );
  return [csvLine(['at', 'actor', 'action', 'outcome', 'details']), ...lines].join('');
}

/** For printing: without scripts, styles and pictures, so that it needs nothing from anywhere. */
export function reportHtml({ made_at, job, events }: JobReport): string {
  const facts: readonly (readonly [string, string])[] = [
    ['Job', job.job_id],
    ['Pair', job.pair.name],
    ['Type', job.type],
    ['Status', job.status],
    ['Begun by', job.started_by],
    ['Begun', job.started_at ?? '-'],
    ['Ended', job.finished_at ?? '-'],
    ...Object.entries(job.counts).map(([name, count]) => [name.replaceAll('_', ' '), String(count)] as const),
    ...job.errors.map(({ code, message }) => ['Error', `${code}: ${message}`] as const),
  ];
  const title = `Report of job ${job.job_id}`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${html(title)}</title></head>
<body>
<h1>${html(title)}</h1>
<p>Made ${html(made_at)}</p>
${htmlTable([], facts)}
<h2>Tables</h2>
${htmlTable(
  ['Source', 'Target', 'State', 'Rows copied', 'Changes applied', 'Last change'],
  job.tables.map(({ source, target, state, rows_copied, changes_applied, last_change_at }) => [
    source,
    target,
    state,
    String(rows_copied),
    String(changes_applied),
    last_change_at ?? '-',
  ]),
)}
<h2>Events</h2>
${htmlTable(
  ['At', 'Who', 'What', 'Outcome'],
  events.map(({ at, actor, action, outcome }) => [at, actor, action, outcome]),
)}
</body>
</html>
`;
}

function htmlTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = titles.length === 0 ? '' : `<tr>${titles.map((title) => `<th>${html(title)}</th>`).join('')}</tr>\n`;
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${html(cell)}</td>`).join('')}</tr>`).join('\n');
  return `<table border="1" cellpadding="4">\n${head}${body}\n</table>`;
}

const html = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
