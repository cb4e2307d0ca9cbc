-- When a failed event is to be tried again. Its lane is due then only if it is the lane's first event.
ALTER TABLE event ADD COLUMN retry_at timestamptz;
UPDATE event SET retry_at = lane.due FROM lane
WHERE lane.lane = event.lane AND lane.epoch IS NULL AND event.attempts > 0;
