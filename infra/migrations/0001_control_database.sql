-- The control database: what should run, what runs, what ran. What the targets hold is written at the targets;
-- everything here about progress is for people, and may be a moment old.

-- Registered ends.
CREATE TABLE terrafusion.systems (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name        text NOT NULL UNIQUE,
  kind        text NOT NULL DEFAULT 'Other' CHECK (kind IN ('PACS', 'CAMA', 'GIS', 'ERP', 'CRM', 'Other')),
  environment text NOT NULL DEFAULT 'production' CHECK (environment IN ('development', 'training', 'production')),
  connector   text NOT NULL,
  -- Secrets in it are encrypted by the application: {"$encrypted": "…"}.
  connection  jsonb NOT NULL,
  -- Made for a pair whose end was given inline; not listed, and removed with the pair.
  inline      boolean NOT NULL DEFAULT false,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row for each slot that was ever made for a source: positions name the generation.
CREATE TABLE terrafusion.source_generations (
  source_id         uuid NOT NULL REFERENCES terrafusion.systems ON DELETE CASCADE,
  generation        integer NOT NULL CHECK (generation > 0),
  slot_name         text NOT NULL,
  publication_name  text NOT NULL,
  system_identifier text NOT NULL,
  timeline          integer NOT NULL,
  consistent_point  pg_lsn NOT NULL,
  created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (source_id, generation)
);

CREATE TABLE terrafusion.sync_pairs (
  id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name                text NOT NULL,
  source_id           uuid NOT NULL REFERENCES terrafusion.systems,
  target_id           uuid NOT NULL REFERENCES terrafusion.systems,
  -- {"tables": […] or null, "config": {…}} as given.
  definition          jsonb NOT NULL,
  -- Grows by itself whenever the definition changes.
  version             integer NOT NULL DEFAULT 1,
  desired             text NOT NULL DEFAULT 'paused' CHECK (desired IN ('running', 'paused')),
  state               text NOT NULL DEFAULT 'created'
                      CHECK (state IN ('created', 'loading', 'catching_up', 'streaming', 'paused', 'failed')),
  -- {"code", "message", "fix", "since"} while something is wrong.
  error               jsonb,
  -- Where in the source's topic the pair's stream begins; null until its first load has begun.
  start_offset        bigint,
  -- {"state": "none" | "running" | "done", …}
  load                jsonb NOT NULL DEFAULT '{"state": "none"}',
  resync_requested_at timestamptz,
  created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- A tombstone: slot, publication and topics are still to be removed, then the row.
  deleted_at          timestamptz
);
-- A deleted pair gives its name free at once.
CREATE UNIQUE INDEX sync_pairs_name_key ON terrafusion.sync_pairs (name) WHERE deleted_at IS NULL;
CREATE INDEX sync_pairs_source_id_idx ON terrafusion.sync_pairs (source_id);
CREATE INDEX sync_pairs_target_id_idx ON terrafusion.sync_pairs (target_id);

-- One run that an operator can see.
CREATE TABLE terrafusion.sync_operations (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  pair_id      uuid NOT NULL REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  type         text NOT NULL CHECK (type IN ('full', 'incremental', 'resync', 'verify')),
  state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'completed', 'failed', 'stopped')),
  -- What it was asked to do, such as {"tables": […]}.
  parameters   jsonb NOT NULL DEFAULT '{}',
  progress     jsonb NOT NULL DEFAULT '{}',
  counts       jsonb NOT NULL DEFAULT '{}',
  error        jsonb,
  requested_by text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at   timestamptz,
  finished_at  timestamptz
);
CREATE INDEX sync_operations_pair_id_idx ON terrafusion.sync_operations (pair_id, created_at DESC);
CREATE INDEX sync_operations_created_at_idx ON terrafusion.sync_operations (created_at DESC);
CREATE INDEX sync_operations_open_idx ON terrafusion.sync_operations (created_at) WHERE state IN ('pending', 'running');

CREATE TABLE terrafusion.pair_tables (
  pair_id         uuid NOT NULL REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  source_schema   text NOT NULL,
  source_table    text NOT NULL,
  target_schema   text NOT NULL,
  target_table    text NOT NULL,
  state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'loading', 'loaded', 'streaming', 'failed')),
  rows_copied     bigint NOT NULL DEFAULT 0,
  -- An estimate; null when the source does not know.
  rows_total      bigint,
  changes_applied bigint NOT NULL DEFAULT 0,
  last_change_at  timestamptz,
  schema_version  integer NOT NULL DEFAULT 1,
  error           jsonb,
  PRIMARY KEY (pair_id, source_schema, source_table, target_schema, target_table)
);

-- How far each pair is: copied here from the targets about once a second.
CREATE TABLE terrafusion.pair_progress (
  pair_id         uuid PRIMARY KEY REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  position        text,
  commit_lsn      pg_lsn,
  lag_bytes       bigint,
  lag_seconds     double precision,
  -- The block to read next; topics are trimmed to the lowest of a source's pairs.
  next_offset     bigint,
  applied_at      timestamptz,
  changes_applied bigint NOT NULL DEFAULT 0,
  updated_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Who did what. Each entry's hash covers the one before: an entry that is changed or taken out breaks the chain.
CREATE TABLE terrafusion.audit_entries (
  id            bigserial PRIMARY KEY,
  at            timestamptz NOT NULL,
  actor         text NOT NULL,
  action        text NOT NULL,
  entity_kind   text,
  entity_id     text,
  outcome       text NOT NULL CHECK (outcome IN ('success', 'failure')),
  request_id    text,
  before        jsonb,
  after         jsonb,
  -- Two entries after the same one would be two chains.
  previous_hash bytea NOT NULL UNIQUE,
  hash          bytea NOT NULL UNIQUE
);
CREATE INDEX audit_entries_at_idx ON terrafusion.audit_entries (at DESC);
CREATE INDEX audit_entries_entity_idx ON terrafusion.audit_entries (entity_kind, entity_id);

CREATE FUNCTION terrafusion.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of terrafusion.% is refused: entries are only ever added', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON terrafusion.audit_entries
  FOR EACH ROW EXECUTE FUNCTION terrafusion.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON terrafusion.audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION terrafusion.refuse_change();

CREATE TABLE terrafusion.system_metrics (
  id        bigserial PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  component text NOT NULL,
  metrics   jsonb NOT NULL
);
CREATE INDEX system_metrics_at_idx ON terrafusion.system_metrics (at DESC);

CREATE TABLE terrafusion.errors (
  id        bigserial PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  component text NOT NULL,
  pair_id   uuid REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  code      text NOT NULL,
  message   text NOT NULL,
  details   jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX errors_at_idx ON terrafusion.errors (at DESC);
CREATE INDEX errors_pair_id_idx ON terrafusion.errors (pair_id, at DESC);

-- Rows that both ends have changed.
CREATE TABLE terrafusion.conflicts (
  id            bigserial PRIMARY KEY,
  pair_id       uuid NOT NULL REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  operation_id  uuid REFERENCES terrafusion.sync_operations ON DELETE SET NULL,
  position      text NOT NULL,
  source_schema text NOT NULL,
  source_table  text NOT NULL,
  target_schema text NOT NULL,
  target_table  text NOT NULL,
  -- insert_exists, update_missing, update_differs, delete_missing, …
  kind          text NOT NULL,
  key           jsonb NOT NULL,
  source_row    jsonb,
  target_row    jsonb,
  state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved', 'discarded')),
  resolution    jsonb,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  resolved_at   timestamptz,
  resolved_by   text,
  -- Found again after a restart, it is the same conflict.
  UNIQUE (pair_id, position, target_schema, target_table)
);
CREATE INDEX conflicts_open_idx ON terrafusion.conflicts (pair_id, created_at) WHERE state = 'open';

-- Changes that could not go on. Stored before the position that covers them is committed, so they may be stored again.
CREATE TABLE terrafusion.dead_letters (
  id            bigserial PRIMARY KEY,
  pair_id       uuid NOT NULL REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  position      text NOT NULL,
  stage         text NOT NULL CHECK (stage IN ('process', 'apply')),
  source_schema text NOT NULL,
  source_table  text NOT NULL,
  target_schema text NOT NULL,
  target_table  text NOT NULL,
  op            text NOT NULL CHECK (op IN ('insert', 'update', 'delete', 'truncate')),
  rule          text,
  code          text NOT NULL,
  reason        text NOT NULL,
  -- Cells by column name, as text or null.
  row           jsonb NOT NULL,
  before        jsonb,
  state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'discarded')),
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  resolved_at   timestamptz,
  resolved_by   text,
  -- Stored again after a restart, it is the same letter.
  UNIQUE (pair_id, position, stage, target_schema, target_table)
);
CREATE INDEX dead_letters_open_idx ON terrafusion.dead_letters (pair_id, id) WHERE state = 'open';

-- Pieces of a chunked load.
CREATE TABLE terrafusion.snapshot_chunks (
  pair_id       uuid NOT NULL REFERENCES terrafusion.sync_pairs ON DELETE CASCADE,
  source_schema text NOT NULL,
  source_table  text NOT NULL,
  target_schema text NOT NULL,
  target_table  text NOT NULL,
  chunk         integer NOT NULL CHECK (chunk >= 0),
  -- Key values as text; null for no bound. The lower one belongs to the chunk, the upper one does not.
  lower         jsonb,
  upper         jsonb,
  state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done')),
  rows          bigint NOT NULL DEFAULT 0,
  started_at    timestamptz,
  finished_at   timestamptz,
  PRIMARY KEY (pair_id, source_schema, source_table, target_schema, target_table, chunk)
);

CREATE TABLE terrafusion.api_keys (
  id            text PRIMARY KEY,
  name          text NOT NULL,
  role          text NOT NULL CHECK (role IN ('viewer', 'operator', 'editor', 'admin')),
  secret_sha256 bytea NOT NULL CHECK (length(secret_sha256) = 32),
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by    text,
  expires_at    timestamptz,
  last_used_at  timestamptz,
  revoked_at    timestamptz
);

-- Who may do a piece of work now. The token grows with every holder, so that a late one is recognised.
CREATE TABLE terrafusion.leases (
  name        text PRIMARY KEY,
  holder      text NOT NULL,
  token       bigint NOT NULL,
  acquired_at timestamptz NOT NULL,
  expires_at  timestamptz NOT NULL
);

-- Answers to requests that carried an Idempotency-Key: sent again, they are answered again and not done again.
CREATE TABLE terrafusion.idempotency_keys (
  actor        text NOT NULL,
  key          text NOT NULL,
  -- SHA-256 over method, path and body: the same key with another request is an error.
  request_hash bytea NOT NULL,
  -- Null while the first request is at work.
  status       integer,
  response     jsonb,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at   timestamptz NOT NULL,
  PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_keys_expires_at_idx ON terrafusion.idempotency_keys (expires_at);

CREATE FUNCTION terrafusion.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON terrafusion.systems
  FOR EACH ROW EXECUTE FUNCTION terrafusion.touch();
CREATE TRIGGER touch BEFORE UPDATE ON terrafusion.sync_pairs
  FOR EACH ROW EXECUTE FUNCTION terrafusion.touch();

CREATE FUNCTION terrafusion.count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version + CASE WHEN NEW.definition IS DISTINCT FROM OLD.definition THEN 1 ELSE 0 END;
  RETURN NEW;
END $$;
CREATE TRIGGER count_version BEFORE UPDATE ON terrafusion.sync_pairs
  FOR EACH ROW EXECUTE FUNCTION terrafusion.count_version();

-- Tells who listens on terrafusion_changes: {"table", "id", "op"}. A lost notification is made up for by the slow poll.
CREATE FUNCTION terrafusion.tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('terrafusion_changes', json_build_object(
    'table', TG_TABLE_NAME,
    'id', CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END,
    'op', lower(TG_OP))::text);
  RETURN NULL;
END $$;
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON terrafusion.systems
  FOR EACH ROW EXECUTE FUNCTION terrafusion.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON terrafusion.sync_pairs
  FOR EACH ROW EXECUTE FUNCTION terrafusion.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON terrafusion.sync_operations
  FOR EACH ROW EXECUTE FUNCTION terrafusion.tell_change();
