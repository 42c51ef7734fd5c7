-- Browsers that have logged in with a key. Of what the cookie holds only a hash is stored, and a session is worth no more than its key is at
-- the moment: role, expiry and revocation are the key's.
CREATE TABLE terrafusion.sessions (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  key_id       text NOT NULL REFERENCES terrafusion.api_keys ON DELETE CASCADE,
  token_sha256 bytea NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- How long it may be left alone, and when it ends in any case.
  idle         interval NOT NULL,
  ends_at      timestamptz NOT NULL
);
CREATE INDEX sessions_key_id_idx ON terrafusion.sessions (key_id, created_at);
