-- Which installation this control database belongs to: slots and publications that it makes at sources carry a part of it, so that two
-- installations at one source tell theirs apart.
CREATE TABLE terrafusion.installation (
  id  uuid NOT NULL DEFAULT gen_random_uuid(),
  -- There is one row.
  one boolean PRIMARY KEY DEFAULT true CHECK (one)
);
INSERT INTO terrafusion.installation DEFAULT VALUES;

-- What keeps a deleted pair's leftovers from being removed: {"code", "message", "fix", "since"}; and whether an operator has said to leave
-- what cannot be reached where it is.
ALTER TABLE terrafusion.sync_pairs
  ADD COLUMN removal_error jsonb,
  ADD COLUMN removal_forced boolean NOT NULL DEFAULT false;
