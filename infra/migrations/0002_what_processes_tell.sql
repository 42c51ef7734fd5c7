-- What each process last said of itself; too old, and it is down.
CREATE TABLE terrafusion.components (
  -- gateway, sync-service, reader, stream-processor, writer
  name         text NOT NULL,
  -- Host and PID: several of one name may run.
  instance     text NOT NULL,
  version      text NOT NULL,
  started_at   timestamptz NOT NULL,
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- How long without a heartbeat it counts as up.
  stale_after  interval NOT NULL DEFAULT '15 seconds',
  status       jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (name, instance)
);

-- What the reader of a source last saw: its slot, how far it is, what stops it.
CREATE TABLE terrafusion.source_status (
  source_id  uuid PRIMARY KEY REFERENCES terrafusion.systems ON DELETE CASCADE,
  status     jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Grows with every start or resume: a pair that had failed is tried again, and what a process says of an earlier run is not believed.
ALTER TABLE terrafusion.sync_pairs ADD COLUMN runs integer NOT NULL DEFAULT 0;

-- A load is asked for from the beginning, and each has its number.
ALTER TABLE terrafusion.sync_pairs ALTER COLUMN load SET DEFAULT '{"state": "requested", "number": 1}';
UPDATE terrafusion.sync_pairs SET load = '{"state": "requested", "number": 1}' WHERE load->>'state' = 'none';
