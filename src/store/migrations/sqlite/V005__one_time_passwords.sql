-- Passwords that let in once, until a time. Known by when it was set: the next password of the user is another one. Written before
-- the user is, hence no reference; and the one before stays until the next has taken its place.
CREATE TABLE one_time_passwords (
  user_id TEXT NOT NULL,
  password_changed_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  used_at_ms BIGINT NOT NULL,
  PRIMARY KEY (user_id, password_changed_at_ms)
);
