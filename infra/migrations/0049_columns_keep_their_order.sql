-- The order in which a pair's columns are written is the order in which a table that is made gets them: jsonb loses it.
ALTER TABLE terrafusion.sync_pairs ALTER COLUMN definition TYPE json USING definition::json;

-- Another order alone is no other definition.
CREATE OR REPLACE FUNCTION terrafusion.count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version + CASE
    WHEN NEW.definition::jsonb IS DISTINCT FROM OLD.definition::jsonb THEN 1
    WHEN OLD.load->>'state' = 'done' AND NEW.load->>'state' = 'done' AND OLD.members IS NOT NULL
     AND NEW.members IS DISTINCT FROM OLD.members THEN 1
    ELSE 0 END;
  RETURN NEW;
END $$;
