-- The trail grows old: what is beyond its retention may go, once a checkpoint in the chain says what went and where the rest begins.
-- See infra/decisions/0031-the-trail-can-be-cut.md.

CREATE INDEX audit_entries_action_idx ON terrafusion.audit_entries (action, id DESC);
CREATE INDEX audit_entries_actor_idx ON terrafusion.audit_entries (actor, id DESC);
CREATE INDEX audit_entries_entity_id_idx ON terrafusion.audit_entries (entity_id, id DESC);

-- Entries are only ever added, by anybody. One may go only if a later entry of the chain, a checkpoint, covers it.
CREATE FUNCTION terrafusion.refuse_uncovered_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM terrafusion.audit_entries c
     WHERE c.action = 'audit.checkpoint' AND c.id > OLD.id AND (c.after->>'through')::bigint >= OLD.id
  ) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'DELETE of terrafusion.audit_entries is refused: entries are only ever added'
    USING ERRCODE = 'insufficient_privilege';
END $$;
DROP TRIGGER append_only ON terrafusion.audit_entries;
CREATE TRIGGER append_only BEFORE UPDATE ON terrafusion.audit_entries
  FOR EACH ROW EXECUTE FUNCTION terrafusion.refuse_change();
CREATE TRIGGER append_only_delete BEFORE DELETE ON terrafusion.audit_entries
  FOR EACH ROW EXECUTE FUNCTION terrafusion.refuse_uncovered_removal();

-- Events that repeat themselves: the first one is an entry at once, the others are counted here, and told in one entry when their time
-- is up. A row is there as long as the time runs.
CREATE TABLE terrafusion.audit_bursts (
  -- Action, entity, and what else tells one event from another.
  key         text PRIMARY KEY,
  actor       text NOT NULL,
  action      text NOT NULL,
  entity_kind text,
  entity_id   text,
  outcome     text NOT NULL CHECK (outcome IN ('success', 'failure')),
  -- Of the last one.
  after       jsonb,
  -- Since the last entry.
  repeats     integer NOT NULL DEFAULT 0,
  first_at    timestamptz,
  last_at     timestamptz,
  window_s    integer NOT NULL,
  ends_at     timestamptz NOT NULL
);
CREATE INDEX audit_bursts_ends_at_idx ON terrafusion.audit_bursts (ends_at);

-- {"code", "since"} from the first word of a trouble until the pair has got over it, which its state alone does not tell: a load that is
-- tried again says "loading", and may fail again. For the trail only.
ALTER TABLE terrafusion.sync_pairs ADD COLUMN trouble jsonb;
