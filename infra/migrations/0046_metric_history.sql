-- What the processes measured, for plots: each writes a row every ten seconds, and rows are brought together to a minute, ten minutes and
-- an hour, each kept longer than the one before. Nothing has been written to the older table of this name.
DROP TABLE terrafusion.system_metrics;
CREATE TABLE terrafusion.system_metrics (
  -- Length of the interval that the row stands for: 10, 60, 600, 3600.
  resolution_s integer NOT NULL,
  -- Where it begins.
  at           timestamptz NOT NULL,
  -- gateway, sync-service, reader, …, and the process.
  component    text NOT NULL,
  instance     text NOT NULL,
  -- {"lag_seconds": {"{\"pair\":\"pacs-to-cama\"}": 1.5}}: by name, then by labels. Means over the interval.
  metrics      jsonb NOT NULL,
  -- The same with the highest values; null where a row is a single measurement.
  peaks        jsonb,
  PRIMARY KEY (resolution_s, at, component, instance)
);
