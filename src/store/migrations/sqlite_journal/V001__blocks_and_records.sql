-- A statement ends with a semicolon at the end of its line. Times are Unix milliseconds.
CREATE TABLE blocks (
  sequence INTEGER NOT NULL PRIMARY KEY,
  first_ms BIGINT NOT NULL,
  last_ms BIGINT NOT NULL,
  record_count BIGINT NOT NULL,
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  records BLOB NOT NULL
);

CREATE TABLE call_records (
  sequence INTEGER NOT NULL PRIMARY KEY,
  id TEXT NOT NULL,
  api_id TEXT NOT NULL,
  caller TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  trigger_time_ms BIGINT NOT NULL,
  status INTEGER NOT NULL,
  kept_max BIGINT NOT NULL,
  document TEXT NOT NULL
);
CREATE INDEX call_records_api ON call_records (api_id, sequence);
CREATE INDEX call_records_trace ON call_records (trace_id);
CREATE INDEX call_records_time ON call_records (trigger_time_ms);
