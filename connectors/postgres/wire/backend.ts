import type { PostgresError } from '../errors.ts';

/** What an ErrorResponse or NoticeResponse says. Translated by `translateError` where it leaves the connector. */
export class ServerError extends Error implements PostgresError {
  override readonly name = 'ServerError';
  readonly severity: string;
  readonly code: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly position: string | undefined;
  readonly where: string | undefined;
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
  readonly dataType: string | undefined;
  readonly constraint: string | undefined;

  /** @param fields by the protocol's letters */
  constructor(fields: ReadonlyMap<string, string>) {
    super(fields.get('M') ?? 'the server gave no reason');
    // V is the severity that no translation touches.
    this.severity = fields.get('V') ?? fields.get('S') ?? 'ERROR';
    this.code = fields.get('C') ?? 'XX000';
    this.detail = fields.get('D');
    this.hint = fields.get('H');
    this.position = fields.get('P');
    this.where = fields.get('W');
    this.schema = fields.get('s');
    this.table = fields.get('t');
    this.column = fields.get('c');
    this.dataType = fields.get('d');
    this.constraint = fields.get('n');
  }
}

/** Reads the body of an ErrorResponse or NoticeResponse. Never throws: what is malformed is left out. */
export function readServerError(buf: Buffer, start: number, end: number): ServerError {
  const fields = new Map<string, string>();
  let pos = start;
  while (pos < end && buf[pos] !== 0) {
    const stop = buf.indexOf(0, pos + 1);
    if (stop === -1 || stop >= end) break;
    fields.set(String.fromCharCode(buf[pos]!), buf.toString('utf8', pos + 1, stop));
    pos = stop + 1;
  }
  return new ServerError(fields);
}

/** The tag of a CommandComplete: "COPY 1000", "UPDATE 3", "COMMIT". */
export function readCommandTag(buf: Buffer, start: number, end: number): string {
  return buf.toString('utf8', start, end > start && buf[end - 1] === 0 ? end - 1 : end);
}

/** Rows that the command with this tag touched; 0 when the tag names none. */
export function rowsOfTag(tag: string): number {
  const last = tag.slice(tag.lastIndexOf(' ') + 1);
  return /^\d+$/.test(last) ? Number(last) : 0;
}

/** The values of a DataRow in text format. @throws {RangeError} when the row is cut short */
export function readDataRow(buf: Buffer, start: number, end: number): (string | null)[] {
  const row: (string | null)[] = [];
  if (end - start < 2) throw new RangeError('a row ends before its number of columns');
  const count = buf.readUInt16BE(start);
  let pos = start + 2;
  for (let column = 0; column < count; column++) {
    if (end - pos < 4) throw new RangeError('a row ends before a length');
    const length = buf.readInt32BE(pos);
    pos += 4;
    if (length === -1) {
      row.push(null);
      continue;
    }
    if (length < 0 || length > end - pos) throw new RangeError('a row ends within a value');
    row.push(buf.toString('utf8', pos, pos + length));
    pos += length;
  }
  return row;
}
