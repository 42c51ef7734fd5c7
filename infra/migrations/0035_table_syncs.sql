-- Tables of a pair that are loaded anew, or for the first time, beside its stream. The truth about who writes which table is at the target
-- (_terrafusion.applied_positions.apart); here is what is wanted, how far it is, and what is needed to go on after a kill.
CREATE TABLE terrafusion.table_syncs (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  pair_id      uuid NOT NULL REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  -- Within the pair, from 1.
  number       integer NOT NULL CHECK (number > 0),
  operation_id uuid REFERENCES terrafusion.sync_operations ON DELETE SET NULL,
  -- resync: as they were, anew. add: new in the pair. change: brought in another way from now on, or incomplete.
  kind         text NOT NULL CHECK (kind IN ('resync', 'add', 'change')),
  -- requested, loading, catching_up, then done. rejoining: cancelled, going on with the rows they had. left_out: incomplete, not kept in
  -- step. overtaken: a load of the whole pair, or another sync, has taken its place. cancelled: before anything had been done.
  state        text NOT NULL DEFAULT 'requested'
               CHECK (state IN ('requested', 'loading', 'catching_up', 'rejoining', 'done', 'left_out', 'overtaken', 'cancelled')),
  -- [{"source": {"schema", "name"}, "target": {"schema", "name"}}]
  tables       jsonb NOT NULL,
  -- The version of the pair's definition that brings them as this sync does.
  version      integer NOT NULL,
  -- From where it needs the source's topic.
  needed_offset bigint,
  -- Where its stream begins: {"offset", "position"}.
  start        jsonb,
  -- What its load has read, and when.
  loaded       jsonb,
  cancel_requested_at timestamptz,
  error        jsonb,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at  timestamptz,
  UNIQUE (pair_id, number)
);
CREATE INDEX table_syncs_open_idx ON terrafusion.table_syncs (pair_id)
  WHERE state IN ('requested', 'loading', 'catching_up', 'rejoining', 'left_out');
CREATE INDEX table_syncs_operation_id_idx ON terrafusion.table_syncs (operation_id);
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OF state, cancel_requested_at ON terrafusion.table_syncs
  FOR EACH ROW EXECUTE FUNCTION terrafusion.tell_change();

-- Source tables that a pair without a list of tables has taken: one that is made at the source later is not among them. Null: all, as yet.
ALTER TABLE terrafusion.sync_pairs ADD COLUMN members jsonb;
-- The version of the definition whose tables the source publishes.
ALTER TABLE terrafusion.sync_pairs ADD COLUMN published_version integer NOT NULL DEFAULT 0;

-- Another set of tables is another version, too; what a load takes is noted without one.
CREATE OR REPLACE FUNCTION terrafusion.count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version + CASE
    WHEN NEW.definition IS DISTINCT FROM OLD.definition THEN 1
    WHEN OLD.load->>'state' = 'done' AND NEW.load->>'state' = 'done' AND OLD.members IS NOT NULL
     AND NEW.members IS DISTINCT FROM OLD.members THEN 1
    ELSE 0 END;
  RETURN NEW;
END $$;

ALTER TABLE terrafusion.pair_tables DROP CONSTRAINT pair_tables_state_check;
ALTER TABLE terrafusion.pair_tables ADD CONSTRAINT pair_tables_state_check
  CHECK (state IN ('waiting', 'loading', 'loaded', 'catching_up', 'streaming', 'failed', 'left_out', 'removed'));

-- By which version of the definition the pair's ready topic is written, and from which position on (Kafka only).
ALTER TABLE terrafusion.pair_progress ADD COLUMN processor_version integer;
ALTER TABLE terrafusion.pair_progress ADD COLUMN processor_position text;
