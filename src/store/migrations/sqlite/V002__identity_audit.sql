-- Who may do what, and who did. Times are Unix milliseconds, 0 = none. A *_folded column is its neighbour with folded case: names
-- are unique without regard to case. lower(…) in an index is the order that lists sort by.

-- Only kinds of the configuration count for its sequence: a new user must not stop whoever is publishing a script.
CREATE INDEX changes_of_configuration ON changes (sequence)
  WHERE kind IN ('ScriptSet', 'Script', 'ApiAuthentication', 'FuncApi', 'EnvVariable');

-- Clustered by id, as memberships are by user: a million of both are read side by side, each from beginning to end.
CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  login TEXT NOT NULL,
  first_name TEXT NOT NULL,
  surname TEXT NOT NULL,
  email TEXT NOT NULL,
  description TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  built_in INTEGER NOT NULL,
  must_change_password INTEGER NOT NULL,
  password_changed_at_ms BIGINT NOT NULL,
  last_login_at_ms BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  apply_set TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX users_login ON users (login);
CREATE INDEX users_first_name ON users (lower(first_name), id);
CREATE INDEX users_surname ON users (lower(surname), id);
CREATE INDEX users_email ON users (lower(email), id);
CREATE INDEX users_created ON users (created_at_ms, id);
CREATE INDEX users_updated ON users (updated_at_ms, id);
CREATE INDEX users_enabled ON users (enabled, id);
CREATE INDEX users_of_apply_set ON users (apply_set) WHERE apply_set <> '';

-- Beside the user: lists and start-up never touch a hash. `past_hashes` is a JSON list.
CREATE TABLE user_passwords (
  user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  password_hash TEXT NOT NULL,
  pepper_kid TEXT NOT NULL,
  past_hashes TEXT NOT NULL
);

CREATE TABLE user_groups (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  name_folded TEXT NOT NULL,
  description TEXT NOT NULL,
  built_in INTEGER NOT NULL,
  version BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  apply_set TEXT NOT NULL
);
CREATE UNIQUE INDEX user_groups_name ON user_groups (name_folded);

CREATE TABLE memberships (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  group_id TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
  PRIMARY KEY (user_id, group_id)
) WITHOUT ROWID;
CREATE INDEX memberships_of_group ON memberships (group_id, user_id);

-- `application` is '' for a system-wide role; `privileges` a JSON list of names.
CREATE TABLE roles (
  id TEXT NOT NULL PRIMARY KEY,
  application TEXT NOT NULL,
  name TEXT NOT NULL,
  name_folded TEXT NOT NULL,
  description TEXT NOT NULL,
  built_in INTEGER NOT NULL,
  privileges TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  apply_set TEXT NOT NULL
);
CREATE UNIQUE INDEX roles_name ON roles (application, name_folded);

CREATE TABLE group_roles (
  group_id TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
  role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, role_id)
);
CREATE INDEX group_roles_of_role ON group_roles (role_id);

-- A key stays, revoked, when its owner goes: hence no reference. `apis` and `addresses` are JSON lists, '' = all.
CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  name TEXT NOT NULL,
  name_folded TEXT NOT NULL,
  scopes INTEGER NOT NULL,
  apis TEXT NOT NULL,
  addresses TEXT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  revoked_at_ms BIGINT NOT NULL,
  revoked_by TEXT NOT NULL,
  revoked_reason TEXT NOT NULL,
  replaces TEXT NOT NULL,
  kid TEXT NOT NULL,
  last_used_at_ms BIGINT NOT NULL,
  last_used_from TEXT NOT NULL,
  last_used_api TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  apply_set TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_name_of_user ON api_keys (user_id, name_folded);
CREATE INDEX api_keys_user ON api_keys (user_id, id);
CREATE INDEX api_keys_name ON api_keys (lower(name), id);
CREATE INDEX api_keys_created ON api_keys (created_at_ms, id);
CREATE INDEX api_keys_expiring ON api_keys (expires_at_ms, id);
CREATE INDEX api_keys_last_used ON api_keys (last_used_at_ms, id);
CREATE INDEX api_keys_kid ON api_keys (kid, id);

-- The owner is an action of a flow or an HTTP configuration; `sealed` is a box that opens only at this owner and key.
CREATE TABLE secret_keys (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  owner_kind TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  application TEXT NOT NULL,
  flow TEXT NOT NULL,
  action TEXT NOT NULL,
  http_configuration TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  sealed TEXT NOT NULL,
  sealed_kid TEXT NOT NULL,
  is_instance_api_key INTEGER NOT NULL,
  version BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  apply_set TEXT NOT NULL
);
CREATE UNIQUE INDEX secret_keys_key ON secret_keys (key);
CREATE UNIQUE INDEX secret_keys_name_of_owner ON secret_keys (owner_kind, owner_id, lower(name));
CREATE INDEX secret_keys_name ON secret_keys (lower(name), id);
CREATE INDEX secret_keys_application ON secret_keys (lower(application), id);
CREATE INDEX secret_keys_sealed ON secret_keys (sealed_kid, id) WHERE sealed <> '';

-- The password policy and the privileges whose use is recorded: one document each.
CREATE TABLE identity_documents (
  kind TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  apply_set TEXT NOT NULL
);

CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  token_sha256 TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at_ms BIGINT NOT NULL,
  last_used_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  address TEXT NOT NULL
);
CREATE UNIQUE INDEX sessions_token ON sessions (token_sha256);
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_expiring ON sessions (expires_at_ms);
CREATE INDEX sessions_idle ON sessions (last_used_at_ms);

-- At most one row, named 'setup'.
CREATE TABLE setup_tokens (
  name TEXT NOT NULL PRIMARY KEY,
  sha256 TEXT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  failures INTEGER NOT NULL
);

-- status 0: the first request is still running.
CREATE TABLE idempotent_requests (
  principal TEXT NOT NULL,
  key TEXT NOT NULL,
  request_sha256 TEXT NOT NULL,
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  had_token INTEGER NOT NULL,
  object_id TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  PRIMARY KEY (principal, key)
);
CREATE INDEX idempotent_requests_old ON idempotent_requests (created_at_ms);

-- The management stream. `document` is what `hash` covers; the other columns repeat parts of it for searching.
CREATE TABLE audit_entries (
  sequence INTEGER NOT NULL PRIMARY KEY,
  time_ms BIGINT NOT NULL,
  event TEXT NOT NULL,
  outcome TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  actor_login TEXT NOT NULL,
  object_kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  object_name TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  document TEXT NOT NULL,
  previous_hash TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE INDEX audit_entries_time ON audit_entries (time_ms, sequence);
CREATE INDEX audit_entries_event ON audit_entries (event, sequence);
CREATE INDEX audit_entries_actor ON audit_entries (actor_login, sequence);
CREATE INDEX audit_entries_actor_id ON audit_entries (actor_id, sequence);
CREATE INDEX audit_entries_object ON audit_entries (object_id, sequence);
CREATE INDEX audit_entries_object_name ON audit_entries (object_name, sequence);
CREATE INDEX audit_entries_trace ON audit_entries (trace_id) WHERE trace_id <> '';

-- Retention says here, within its own transaction, up to which entry it removes, and takes it back before it commits.
CREATE TABLE audit_removal (
  name TEXT NOT NULL PRIMARY KEY,
  removed_to BIGINT NOT NULL
);
INSERT INTO audit_removal (name, removed_to) VALUES ('admin', 0);

CREATE TRIGGER audit_entries_append_only BEFORE INSERT ON audit_entries
WHEN NEW.sequence <> COALESCE((SELECT MAX(sequence) FROM audit_entries), 0) + 1
BEGIN SELECT RAISE(ABORT, 'audit entries are appended only'); END;

CREATE TRIGGER audit_entries_never_change BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit entries never change'); END;

CREATE TRIGGER audit_entries_removed_from_the_beginning BEFORE DELETE ON audit_entries
WHEN OLD.sequence > (SELECT removed_to FROM audit_removal WHERE name = 'admin')
  OR OLD.sequence <> (SELECT MIN(sequence) FROM audit_entries)
BEGIN SELECT RAISE(ABORT, 'audit entries are removed by retention only'); END;

-- Text that an author has saved and not published.
CREATE TABLE script_drafts (
  script_id TEXT NOT NULL PRIMARY KEY,
  source TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  author TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL
);
CREATE INDEX script_drafts_author ON script_drafts (author);
