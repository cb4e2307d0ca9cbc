-- When a failed event is to be tried again. Its lane is due then only if it is the lane's first event.
ALTER TABLE event ADD COLUMN retry_at timestamptz;
UPDATE event SET retry_at = lane.due FROM lane
WHERE lane.lane = event.lane AND lane.epoch IS NULL AND event.attempts > 0;

-- A lane could be given back, and deleted, while its next event was being stored.
INSERT INTO lane (lane) SELECT DISTINCT lane FROM event ON CONFLICT DO NOTHING;

-- Whether it can be read. What is large is stored in pieces, and when one is lost, every statement that needs them fails.
CREATE FUNCTION is_readable(json bytea) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RETURN md5(json) IS NOT NULL;
EXCEPTION WHEN data_corrupted THEN
    RETURN false;
END $$;
