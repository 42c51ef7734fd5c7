-- What the last check of a system found, in each role that it was looked at. Not in systems: a look is no change of the system, for
-- which processes are woken.
CREATE TABLE terrafusion.system_checks (
  system_id  uuid NOT NULL REFERENCES terrafusion.systems ON DELETE CASCADE,
  role       text NOT NULL CHECK (role IN ('source', 'target')),
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Every required check was good.
  ok         boolean NOT NULL,
  -- Those that were not good, advice included; secrets are masked.
  failed     jsonb NOT NULL,
  PRIMARY KEY (system_id, role)
);
