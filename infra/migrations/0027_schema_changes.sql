-- What a source's changed tables mean for a pair's target: what waits for somebody, what was let through, what was done.
-- The target itself knows what it has become (_terrafusion.held_tables there); this is for people.
CREATE TABLE terrafusion.schema_changes (
  pair_id    uuid NOT NULL REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  -- The same again after a restart, as long as the same is to be done in the same place.
  id         text NOT NULL,
  -- Where in the source's history.
  position   text NOT NULL,
  -- [{"kind", "what", "sql": […]}]
  steps      jsonb NOT NULL,
  state      text NOT NULL CHECK (state IN ('waiting', 'approved', 'applied')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- A person's key, or "policy".
  decided_by text,
  decided_at timestamptz,
  applied_at timestamptz,
  PRIMARY KEY (pair_id, id)
);
CREATE INDEX schema_changes_pair_idx ON terrafusion.schema_changes (pair_id, created_at DESC);
