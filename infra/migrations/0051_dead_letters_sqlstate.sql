-- What the target said to a change that it refused, by SQLSTATE; null where a rule or the chain refused it.
ALTER TABLE terrafusion.dead_letters ADD COLUMN sqlstate text;
