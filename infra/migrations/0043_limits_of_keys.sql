-- How far keys reach, and how they are given another secret.
ALTER TABLE terrafusion.api_keys
  -- Systems to which the key is limited; null: to none. One that is removed takes nothing with it: its id is never another's.
  ADD COLUMN systems uuid[] CHECK (systems IS NULL OR (role <> 'admin' AND cardinality(systems) > 0)),
  -- The secret before the last rotation, and how long it still opens.
  ADD COLUMN previous_sha256 bytea CHECK (length(previous_sha256) = 32),
  ADD COLUMN previous_until timestamptz,
  ADD COLUMN rotated_at timestamptz;
