/**
 * The Markdown that the runbooks are written in, as HTML: headings, paragraphs, lists with what is indented below their items, tables, fenced code;
 * within lines code, bold and links to other pages. Everything else is text.
 */
export function toHtml(markdown: string): string {
  return blocks(markdown.split('\n')).join('\n');
}

const FENCE = /^\s*```/;
const ITEM = /^(\d+\.|-) +/;
const TABLE = /^\|/;
const HEADING = /^(#{1,3}) (.*)$/;

function blocks(lines: readonly string[]): string[] {
  const made: string[] = [];
  let at = 0;
  /** Takes lines as long as they belong. */
  const take = (belongs: (line: string) => boolean): string[] => {
    const begun = at;
    while (at < lines.length && belongs(lines[at]!)) at += 1;
    return lines.slice(begun, at);
  };
  while (at < lines.length) {
    const line = lines[at]!;
    const heading = HEADING.exec(line);
    if (line.trim() === '') at += 1;
    else if (heading) {
      const level = heading[1]!.length;
      made.push(`<h${level}>${inline(heading[2]!)}</h${level}>`);
      at += 1;
    } else if (FENCE.test(line)) {
      at += 1;
      made.push(`<pre><code>${escape(take((each) => !FENCE.test(each)).join('\n'))}</code></pre>`);
      at += 1;
    } else if (TABLE.test(line)) made.push(table(take((each) => TABLE.test(each))));
    else if (ITEM.test(line))
      made.push(list(take((each) => ITEM.test(each) || /^ {2,}\S/.test(each) || each.trim() === '')));
    else made.push(`<p>${inline(take((each) => each.trim() !== '' && !startsOther(each)).join('\n'))}</p>`);
  }
  return made;
}

const startsOther = (line: string): boolean => [FENCE, ITEM, TABLE, HEADING].some((start) => start.test(line));

function list(lines: readonly string[]): string {
  const items: string[][] = [];
  for (const line of lines) {
    if (ITEM.test(line)) items.push([line.replace(ITEM, '')]);
    else items.at(-1)!.push(line.replace(/^ {1,3}/, ''));
  }
  const tag = lines[0]!.startsWith('-') ? 'ul' : 'ol';
  const made = items.map((item) => `<li>${blocks(item).join('\n')}</li>`);
  return `<${tag}>\n${made.join('\n')}\n</${tag}>`;
}

function table(lines: readonly string[]): string {
  const rows = lines.map((line) =>
    line
      .replace(/^\||\|\s*$/g, '')
      .split('|')
      .map((cell) => inline(cell.trim())),
  );
  const [head = [], , ...body] = rows;
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>\n<thead>${row(head, 'th')}</thead>\n<tbody>${body.map((cells) => row(cells, 'td')).join('\n')}</tbody>\n</table>`;
}

/** Of a line; code first, since what is in it means itself. */
function inline(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part) => (/^`[^`]+`$/.test(part) ? `<code>${escape(part.slice(1, -1))}</code>` : worded(escape(part))))
    .join('');
}

function worded(text: string): string {
  return text
    .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replaceAll(/\[([^\]]+)\]\(([\w-]+)\.md\)/g, '<a href="/runbooks/$2">$1</a>');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
