-- What roles and secret keys belong to, and whom it admits. roles.application is an id of this table, secret_keys.application a
-- name; with all_users = 0 only members of the groups below are admitted.
CREATE TABLE applications (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  name_folded TEXT NOT NULL,
  description TEXT NOT NULL,
  all_users INTEGER NOT NULL,
  version BIGINT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at_ms BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  apply_set TEXT NOT NULL
);
CREATE UNIQUE INDEX applications_name ON applications (name_folded);

CREATE TABLE application_groups (
  application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
  group_id TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
  PRIMARY KEY (application_id, group_id)
) WITHOUT ROWID;
CREATE INDEX application_groups_of_group ON application_groups (group_id);
