import { TerraFusionError } from '#schemas/errors.ts';
import {
  binaryFormOf,
  type BlockColumn,
  type CellFormat,
  isTextInBinary,
  type BlockTable,
  REPLICA_IDENTITIES,
  type ReplicaIdentity,
} from '#schemas/block/index.ts';
import { MessageReader, malformed } from './message-reader.ts';

/** A table as the stream has announced it. */
export interface Relation {
  readonly table: BlockTable;
  /** Cells that a row of it has. */
  readonly width: number;
  /** How a value that is there begins in a row: "t" for text, "b" for binary. */
  readonly valueKind: number;
  /** By cell, where values come in binary: 1 when they are the bytes of their text. */
  readonly isText: Uint8Array;
  /** Rows with all of their values are written in one piece: some of them are in binary. */
  readonly inOnePiece: boolean;
  /** The open block's number and the table's index in its header; another number: not in the open block yet. */
  block: number;
  index: number;
}

const identities: Readonly<Record<string, ReplicaIdentity>> = { d: 'default', n: 'nothing', f: 'full', i: 'index' };

/**
 * What the stream has told of tables and types. Belongs to one connection: the server announces everything anew on the next.
 * (CHECKLIST 18)
 */
export class RelationCache {
  readonly #builtinTypes: ReadonlyMap<number, string>;
  readonly #format: CellFormat;
  readonly #types = new Map<number, { readonly schema: string; readonly name: string }>();
  readonly #relations = new Map<number, Relation>();

  /**
   * @param builtinTypes names of the types that the stream does not announce (oids below 10000), by oid
   * @param format in which the stream was asked for values
   */
  constructor(builtinTypes: ReadonlyMap<number, string>, format: CellFormat) {
    this.#builtinTypes = builtinTypes;
    this.#format = format;
  }

  /** @throws {TerraFusionError} SOURCE_PROTOCOL for a table that was never announced */
  get(oid: number): Relation {
    return this.#relations.get(oid) ?? malformed(`a change of table ${oid}, which was not announced`);
  }

  /** A Type message, without its type byte. For a domain the server names the type below it. */
  readType(buf: Buffer, start: number, end: number): void {
    const reader = new MessageReader(buf, start, end);
    const oid = reader.uint32();
    const schema = schemaName(reader.string());
    this.#types.set(oid, { schema, name: reader.string() });
    reader.expectEnd();
  }

  /** A Relation message, without its type byte. @throws {OnlyAsText} in a stream of values in binary, for a type of which only the text is known here */
  readRelation(buf: Buffer, start: number, end: number): void {
    const reader = new MessageReader(buf, start, end);
    const relationId = reader.uint32();
    const schema = schemaName(reader.string());
    const name = reader.string();
    const identity = identities[String.fromCharCode(reader.uint8())] ?? malformed('an unknown replica identity');
    const count = reader.uint16();
    const columns: BlockColumn[] = [];
    for (let i = 0; i < count; i++) columns.push(this.#readColumn(reader));
    reader.expectEnd();
    const table: BlockTable = { relationId, schema, name, identity, tolerant: false, columns };
    const known = this.#relations.get(relationId);
    // The server repeats itself whenever something near the table has changed; only another shape is a new table in the block.
    if (known !== undefined && sameShape(known.table, table)) return;
    const isText = Uint8Array.from(columns, ({ format }) => (format === 'text' ? 1 : 0));
    const inOnePiece = columns.some(({ format }) => format === 'binary');
    const valueKind = this.#format === 'binary' ? 0x62 : 0x74;
    this.#relations.set(relationId, { table, width: count, valueKind, isText, inOnePiece, block: -1, index: -1 });
  }

  #readColumn(reader: MessageReader): BlockColumn {
    const key = (reader.uint8() & 1) === 1;
    const name = reader.string();
    const typeOid = reader.uint32();
    const typmod = reader.int32();
    const type = this.#types.get(typeOid);
    return {
      name,
      typeOid,
      typeSchema: type?.schema ?? 'pg_catalog',
      typeName: type?.name ?? this.#builtinTypes.get(typeOid) ?? String(typeOid),
      typmod,
      key,
      format: this.#formatOf(typeOid),
    };
  }

  #formatOf(typeOid: number): CellFormat {
    if (this.#format === 'text' || isTextInBinary(typeOid)) return 'text';
    if (binaryFormOf(typeOid) === undefined) throw new OnlyAsText(typeOid);
    return 'binary';
  }
}

/** A table has come into a stream of values in binary with a type of which only the text is known here: the stream has to be asked for anew. */
export class OnlyAsText extends TerraFusionError {
  constructor(typeOid: number) {
    super('SOURCE_DISCONNECTED', `The source is read on as text: it has a column of type ${typeOid} by now`);
  }
}

/** The letter of `pg_class.relreplident`. @throws {RangeError} for another letter */
export function identityOf(letter: string): ReplicaIdentity {
  const identity = identities[letter];
  if (identity === undefined) throw new RangeError(`"${letter}" is not one of ${REPLICA_IDENTITIES.length} identities`);
  return identity;
}

/** pgoutput leaves the name of pg_catalog out. */
function schemaName(name: string): string {
  return name === '' ? 'pg_catalog' : name;
}

function sameShape(a: BlockTable, b: BlockTable): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
