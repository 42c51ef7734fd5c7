-- "stopped" was said of operations in whose place another one was put. From now on it is said of those that can go on.
ALTER TABLE terrafusion.sync_operations DROP CONSTRAINT IF EXISTS sync_operations_state_check;
UPDATE terrafusion.sync_operations SET state = 'cancelled' WHERE state = 'stopped';
ALTER TABLE terrafusion.sync_operations ADD CONSTRAINT sync_operations_state_check
  CHECK (state IN ('pending', 'running', 'stopping', 'stopped', 'completed', 'failed', 'cancelled'));

DROP INDEX IF EXISTS terrafusion.sync_operations_open_idx;
CREATE INDEX sync_operations_open_idx ON terrafusion.sync_operations (pair_id)
  WHERE state IN ('pending', 'running', 'stopping', 'stopped');
