import { z } from 'zod';

/**
 * A table as the source's catalog had it at one moment, with what identifies it and its columns over all renames: its oid and their
 * attribute numbers. It travels in messages of the stream, and is kept at the target as it was when last applied there. (CHECKLIST 19)
 */
export const sourceColumn = z.object({
  /** Not a whole number for a column whose number could not be found out. */
  attnum: z.number(),
  name: z.string(),
  /** As `format_type` prints it with nothing but pg_catalog on the search path. */
  type: z.string(),
  type_oid: z.number(),
  typmod: z.number(),
  not_null: z.boolean(),
  default: z.string().nullable(),
  /** What rows that are older than the column have in it, as text; null: NULL, or their values are not known. */
  missing: z.string().nullable(),
  /** Rows that are older than the column have the `missing` value, and none was rewritten. */
  has_missing: z.boolean(),
  /** The source numbers rows by it. */
  identity: z.boolean(),
  /** Computed by the source, and not sent. */
  generated: z.boolean(),
  /** Part of the replica identity. */
  key: z.boolean(),
});
export type SourceColumn = z.output<typeof sourceColumn>;

/** An enum that a column has as its type, or as its elements'. */
export const sourceEnum = z.object({
  type: z.string(),
  /** In their order; the oid stays when a label is renamed. */
  labels: z.array(z.object({ oid: z.number(), label: z.string() })),
});
export type SourceEnum = z.output<typeof sourceEnum>;

export const sourceTable = z.object({
  relation_id: z.number(),
  schema: z.string(),
  name: z.string(),
  /** pg_class.relkind: r, or p for a partitioned table. */
  kind: z.string(),
  /** pg_class.relreplident. */
  identity: z.string(),
  /** Kept in the WAL, and of nobody's session. */
  permanent: z.boolean(),
  /** It is a partition: its rows come as its root's. */
  partition: z.boolean(),
  /** Attribute numbers, in key order. */
  primary_key: z.array(z.number()),
  columns: z.array(sourceColumn),
  enums: z.array(sourceEnum),
  /** Partitions that hold rows, with the condition that their rows meet; none unless it is partitioned. */
  partitions: z.array(
    z.object({
      relation_id: z.number(),
      rows: z.string().nullable(),
      name: z.string(),
      /** Name of the table it is a partition of: the root's, unless there are several levels. */
      parent: z.string(),
      /** "FOR VALUES …" or "DEFAULT". */
      bound: z.string(),
    }),
  ),
});
export type SourceTable = z.output<typeof sourceTable>;

/** Prefix of the messages that say in the stream what has changed. */
export const SCHEMA_PREFIX = 'terrafusion.schema';

/** Content of such a message: tables as they stand after a command. */
export const schemaMessage = z.object({
  version: z.literal(1),
  /** Empty for a message that only says how things are: what commands have made them so is not known. */
  command: z.string(),
  tables: z.array(sourceTable),
  /** Oids of tables that are no longer there. */
  dropped: z.array(z.number()),
  /** Oids of tables whose rows the command has rewritten: what a column holds may have changed without a change of any row. */
  rewritten: z.array(z.number()),
  /** Partitions that are new to these tables are known to have come without a row. */
  partitions_empty: z.boolean().default(false),
  /** Whether a rewrite can have been by anything but plain casts: the command had a USING, or its text is not known. */
  by_expression: z.boolean(),
});
export type SchemaMessage = z.output<typeof schemaMessage>;

/** Reads a message's content; undefined when a later or another program has written it. */
export function parseSchemaMessage(content: string): SchemaMessage | undefined {
  try {
    return schemaMessage.safeParse(JSON.parse(content)).data;
  } catch {
    return undefined;
  }
}
