-- What a source may keep for us; null: as the settings say.
ALTER TABLE terrafusion.systems
  ADD COLUMN wal_budget_bytes bigint CHECK (wal_budget_bytes >= 67108864),
  ADD COLUMN on_wal_budget text NOT NULL DEFAULT 'alarm' CHECK (on_wal_budget IN ('alarm', 'drop_slot'));

-- Set before a slot is given up to spare its source, so that a kill in between is made good: nothing is read from it any more.
ALTER TABLE terrafusion.source_generations ADD COLUMN given_up text;

-- A source's slot as it was last looked at: state, budget, rate, time left.
CREATE TABLE terrafusion.source_slots (
  source_id uuid PRIMARY KEY REFERENCES terrafusion.systems ON DELETE CASCADE,
  reading   jsonb NOT NULL,
  looked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
