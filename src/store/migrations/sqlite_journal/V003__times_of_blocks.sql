-- Where a time lies in the journal: last_ms never goes back along the chain. Blocks with calls that took longer than a minute, or
-- from while the clock was set back, reach further back than their place tells and are few.
CREATE INDEX blocks_time ON blocks (last_ms);
CREATE INDEX blocks_wide ON blocks (sequence) WHERE last_ms - first_ms > 60000;
