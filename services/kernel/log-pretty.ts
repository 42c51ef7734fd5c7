const hidden = new Set(['level', 'time', 'pid', 'name', 'message']);

interface Line extends Record<string, unknown> {
  readonly level?: string;
  readonly time?: string;
  readonly name?: string;
  readonly message?: string;
}

/** A JSON log line as a person reads it: time, level when it matters, sentence, then the fields. */
export function prettyLine(json: string): string {
  const line = JSON.parse(json) as Line;
  const level = line.level === undefined || line.level === 'info' ? '' : `${line.level.toUpperCase()} `;
  const fields = Object.entries(line)
    .filter(([name]) => !hidden.has(name))
    .map(([name, value]) => `${name}=${shown(value)}`)
    .join(' ');
  return `${(line.time ?? '').slice(11, 19)} ${line.name ?? ''} ${level}${line.message ?? ''}${fields === '' ? '' : `  ${fields}`}\n`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) || value === '' ? JSON.stringify(value) : value;
  if (typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string') {
    const code = 'code' in value && typeof value.code === 'string' ? `${value.code}: ` : '';
    return JSON.stringify(`${code}${value.message}`);
  }
  return JSON.stringify(value);
}
