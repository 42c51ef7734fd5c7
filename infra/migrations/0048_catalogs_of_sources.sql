-- What the last look at a source's catalog has seen, where the source does not tell of altered tables by itself: by the tables' oids.
CREATE TABLE terrafusion.source_catalogs (
  source_id uuid PRIMARY KEY REFERENCES terrafusion.systems ON DELETE CASCADE,
  known     jsonb NOT NULL,
  looked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
