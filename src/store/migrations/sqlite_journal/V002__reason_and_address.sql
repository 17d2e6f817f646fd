-- Call records are searched by why a call was refused and where it came from.
ALTER TABLE call_records ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE call_records ADD COLUMN address TEXT NOT NULL DEFAULT '';
