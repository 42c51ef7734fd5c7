-- What the product does by itself: whether it may, how often it has, and about what the last time. `id` is a name of schemas/healing.ts; a row is there
-- once somebody has switched it or it has been done.
CREATE TABLE terrafusion.healing_actions (
  id            text PRIMARY KEY,
  enabled       boolean NOT NULL DEFAULT true,
  -- Who has switched it last, and when.
  switched_at   timestamptz,
  switched_by   text,
  -- How often since when.
  times         bigint NOT NULL DEFAULT 0,
  counted_since timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_at       timestamptz,
  last_subject  text,
  last_code     text,
  last_message  text,
  -- The process that did it.
  last_by       text
);

-- A switch takes effect at once; that something was done is nobody's business there.
CREATE TRIGGER tell_change AFTER UPDATE OF enabled ON terrafusion.healing_actions
  FOR EACH ROW EXECUTE FUNCTION terrafusion.tell_change();
CREATE TRIGGER tell_switched_off AFTER INSERT ON terrafusion.healing_actions
  FOR EACH ROW WHEN (NOT NEW.enabled) EXECUTE FUNCTION terrafusion.tell_change();
