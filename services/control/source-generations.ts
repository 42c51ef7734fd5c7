import type { StreamIdentity } from '#connectors/contract/source.ts';
import { formatLsn, parseLsn } from '#schemas/lsn.ts';
import type { Queryable } from '#services/kernel/database/index.ts';

/** A slot of a source's history, and what identifies it. */
export interface Generation {
  /** From 1. */
  readonly generation: number;
  readonly stream: StreamIdentity;
  /** Why the slot is given up, or about to be: nothing is read from it any more. */
  readonly givenUp?: string | undefined;
}

interface Row {
  readonly given_up: string | null;
  readonly generation: number;
  readonly slot_name: string;
  readonly publication_name: string;
  readonly system_identifier: string;
  readonly timeline: number;
  readonly consistent_point: string;
}

/** Which slots a source has had: positions name them by number. */
export class SourceGenerations {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** The latest one; undefined before the first slot. */
  async latest(sourceId: string): Promise<Generation | undefined> {
    const row = await this.#db.one<Row>(
      `SELECT generation, slot_name, publication_name, system_identifier, timeline, consistent_point::text, given_up
         FROM terrafusion.source_generations WHERE source_id = $1 ORDER BY generation DESC LIMIT 1`,
      [sourceId],
    );
    return row && toGeneration(row);
  }

  /** All of them, oldest first. */
  async list(sourceId: string): Promise<Generation[]> {
    const rows = await this.#db.query<Row>(
      `SELECT generation, slot_name, publication_name, system_identifier, timeline, consistent_point::text, given_up
         FROM terrafusion.source_generations WHERE source_id = $1 ORDER BY generation`,
      [sourceId],
    );
    return rows.map(toGeneration);
  }

  /** Notes a slot that was made. Again with the same number: the later word holds (the first slot was never read from). */
  async record(sourceId: string, { generation, stream }: Generation): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.source_generations
         (source_id, generation, slot_name, publication_name, system_identifier, timeline, consistent_point)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (source_id, generation) DO UPDATE SET
         slot_name = EXCLUDED.slot_name, publication_name = EXCLUDED.publication_name,
         system_identifier = EXCLUDED.system_identifier, timeline = EXCLUDED.timeline,
         consistent_point = EXCLUDED.consistent_point, given_up = NULL, created_at = clock_timestamp()`,
      [
        sourceId,
        generation,
        stream.slot,
        stream.publication,
        stream.systemIdentifier,
        stream.timeline,
        formatLsn(stream.consistentPoint),
      ],
    );
  }

  /** Names of the slots and publications that this installation needs, of all sources: two systems may lead to one database. */
  async neededNames(): Promise<ReadonlySet<string>> {
    const rows = await this.#db.query<{ slot_name: string; publication_name: string }>(
      `SELECT DISTINCT ON (source_id) slot_name, publication_name FROM terrafusion.source_generations ORDER BY source_id, generation DESC`,
    );
    return new Set(rows.flatMap((row) => [row.slot_name, row.publication_name]));
  }

  /** Id of this installation. */
  async installation(): Promise<string> {
    return (await this.#db.one<{ id: string }>('SELECT id FROM terrafusion.installation'))!.id;
  }

  /** To be noted before the slot is dropped: whoever comes in between finds out why it is missing. */
  async giveUp(sourceId: string, generation: number, reason: string): Promise<boolean> {
    const touched = await this.#db.run(
      `UPDATE terrafusion.source_generations SET given_up = $3
        WHERE source_id = $1 AND generation = $2 AND given_up IS NULL`,
      [sourceId, generation, reason],
    );
    return touched > 0;
  }

  /** Forgets all of them: the source has no pair any more. */
  async forget(sourceId: string): Promise<void> {
    await this.#db.run('DELETE FROM terrafusion.source_generations WHERE source_id = $1', [sourceId]);
  }
}

function toGeneration(row: Row): Generation {
  return {
    generation: row.generation,
    stream: {
      slot: row.slot_name,
      publication: row.publication_name,
      systemIdentifier: row.system_identifier,
      timeline: row.timeline,
      consistentPoint: parseLsn(row.consistent_point),
    },
    ...(row.given_up === null ? {} : { givenUp: row.given_up }),
  };
}
