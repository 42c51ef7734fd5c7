-- What was made of a source's schema at a pair's target, and what was not: {"made": […], "found": […], "skipped": [{"object", "reason", "fix"}]}.
CREATE TABLE terrafusion.pair_schemas (
  pair_id      uuid PRIMARY KEY REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  -- Before the rows were loaded, and once they were there.
  prepared     jsonb NOT NULL,
  completed    jsonb,
  updated_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
