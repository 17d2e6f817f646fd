-- Passwords that let in once, until a time. Known by when it was set: the next password of the user is another one. Written before the
-- user is, hence no reference.
CREATE TABLE one_time_passwords (
  user_id TEXT NOT NULL PRIMARY KEY,
  password_changed_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  used_at_ms BIGINT NOT NULL
);
