-- What was wrong, from when to when, who knew of it, and whom it was told.
CREATE TABLE terrafusion.alerts (
  id              bigserial PRIMARY KEY,
  -- Rule, pair and subject: one open alert of each.
  key             text NOT NULL,
  code            text NOT NULL,
  pair            text,
  subject         text,
  severity        text NOT NULL CHECK (severity IN ('warning', 'critical')),
  state           text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
  message         text NOT NULL,
  value           double precision,
  -- First seen, raised, last seen, gone.
  since           timestamptz NOT NULL,
  fired_at        timestamptz,
  seen_at         timestamptz NOT NULL,
  resolved_at     timestamptz,
  acknowledged_at timestamptz,
  acknowledged_by text,
  silenced_until  timestamptz,
  silenced_by     text,
  comment         text,
  -- What is to be told of it next, since when; and when it was last told that it fires.
  notice          text CHECK (notice IN ('raised', 'worse', 'again', 'resolved')),
  notice_at       timestamptz,
  told_at         timestamptz
);
CREATE UNIQUE INDEX alerts_open_key ON terrafusion.alerts (key) WHERE state <> 'resolved';
CREATE INDEX alerts_notice_idx ON terrafusion.alerts (notice_at) WHERE notice IS NOT NULL;
CREATE INDEX alerts_resolved_at_idx ON terrafusion.alerts (resolved_at) WHERE state = 'resolved';

-- Messages on their way: stored with what they tell of, so that none is lost when the process ends, and none goes out from two processes.
CREATE TABLE terrafusion.alert_deliveries (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  channel      text NOT NULL CHECK (channel IN ('webhook', 'email')),
  -- The body of the webhook; e-mails are written from it.
  message      jsonb NOT NULL,
  state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
  attempts     integer NOT NULL DEFAULT 0,
  due_at       timestamptz NOT NULL,
  created_at   timestamptz NOT NULL,
  ended_at     timestamptz,
  error        text
);
CREATE INDEX alert_deliveries_due_idx ON terrafusion.alert_deliveries (due_at) WHERE state = 'waiting';
CREATE INDEX alert_deliveries_ended_idx ON terrafusion.alert_deliveries (channel, ended_at DESC) WHERE state <> 'waiting';
