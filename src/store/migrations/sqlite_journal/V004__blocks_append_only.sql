-- Retention says here, within its own transaction, up to which block it removes, and takes it back before it commits.
CREATE TABLE block_removal (
  name TEXT NOT NULL PRIMARY KEY,
  removed_to BIGINT NOT NULL
);
INSERT INTO block_removal (name, removed_to) VALUES ('calls', 0);

-- A gap is no mistake of whoever writes behind it: it shows that blocks are gone.
CREATE TRIGGER blocks_append_only BEFORE INSERT ON blocks
WHEN NEW.sequence <= COALESCE((SELECT MAX(sequence) FROM blocks), 0)
BEGIN SELECT RAISE(ABORT, 'blocks of call records are appended only'); END;

CREATE TRIGGER blocks_never_change BEFORE UPDATE ON blocks
BEGIN SELECT RAISE(ABORT, 'blocks of call records never change'); END;

CREATE TRIGGER blocks_removed_from_the_beginning BEFORE DELETE ON blocks
WHEN OLD.sequence > (SELECT removed_to FROM block_removal WHERE name = 'calls')
  OR OLD.sequence <> (SELECT MIN(sequence) FROM blocks)
BEGIN SELECT RAISE(ABORT, 'blocks of call records are removed by retention only'); END;
