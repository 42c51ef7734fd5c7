-- What the check before a pair's first start (or resync) found that did not stop it: {"version", "load", "warnings": [{"table", "column",
-- "name", "message"}]}. Null until it has run.
ALTER TABLE terrafusion.sync_pairs ADD COLUMN checked jsonb;
