-- A statement ends with a semicolon at the end of its line. Times are Unix milliseconds, 0 = none.
CREATE TABLE instance (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE script_sets (
  id TEXT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  document TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  apply_set TEXT NOT NULL
);

CREATE TABLE scripts (
  id TEXT NOT NULL PRIMARY KEY,
  set_id TEXT NOT NULL REFERENCES script_sets (id) DEFERRABLE INITIALLY DEFERRED,
  title TEXT NOT NULL,
  publish_version BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  apply_set TEXT NOT NULL
);
CREATE INDEX scripts_set_id ON scripts (set_id);

CREATE TABLE script_versions (
  script_id TEXT NOT NULL REFERENCES scripts (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  publish_version BIGINT NOT NULL,
  source TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  author TEXT NOT NULL,
  published_at_ms BIGINT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (script_id, publish_version)
);

CREATE TABLE api_authentications (
  id TEXT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  document TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  apply_set TEXT NOT NULL
);

CREATE TABLE function_apis (
  id TEXT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  document TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  apply_set TEXT NOT NULL
);

CREATE TABLE env_variables (
  id TEXT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  document TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  apply_set TEXT NOT NULL
);

-- One row per changed object, in commit order. The newest sequence is the sequence of the configuration.
CREATE TABLE changes (
  sequence BIGINT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  author TEXT NOT NULL,
  note TEXT NOT NULL,
  changed_at_ms BIGINT NOT NULL
);

CREATE TABLE tasks (
  id TEXT NOT NULL PRIMARY KEY,
  sequence BIGINT NOT NULL,
  api_id TEXT NOT NULL,
  status TEXT NOT NULL,
  earliest_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  start_time_ms BIGINT NOT NULL,
  end_time_ms BIGINT NOT NULL,
  remove_at_ms BIGINT NOT NULL,
  result_ttl_s BIGINT NOT NULL,
  attempts INTEGER NOT NULL,
  retry_on_crash INTEGER NOT NULL,
  folder TEXT NOT NULL,
  document TEXT NOT NULL,
  outcome TEXT NOT NULL,
  result BLOB
);
CREATE UNIQUE INDEX tasks_sequence ON tasks (sequence);
CREATE INDEX tasks_waiting ON tasks (earliest_ms, sequence) WHERE status = 'waiting';
CREATE INDEX tasks_expiring ON tasks (expires_at_ms) WHERE status = 'waiting';
CREATE INDEX tasks_waiting_of_api ON tasks (api_id) WHERE status = 'waiting';
CREATE INDEX tasks_running ON tasks (id) WHERE status = 'running';
CREATE INDEX tasks_ended ON tasks (remove_at_ms) WHERE remove_at_ms > 0;

CREATE TABLE stored_values (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX stored_values_expiring ON stored_values (expires_at_ms) WHERE expires_at_ms > 0;
