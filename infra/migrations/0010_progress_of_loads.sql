-- How fast a load is, for people.
ALTER TABLE terrafusion.pair_tables
  ADD COLUMN bytes_copied bigint NOT NULL DEFAULT 0,
  -- Null while the table is not being loaded.
  ADD COLUMN rows_per_second double precision,
  ADD COLUMN seconds_left double precision;

-- The plan of a load and its progress are at the target, in the transactions that have the rows: _terrafusion.load_chunks.
DROP TABLE terrafusion.snapshot_chunks;
