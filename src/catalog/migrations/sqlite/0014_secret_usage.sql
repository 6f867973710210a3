-- How many exports came with which secret, of keys with two good ones: by minute for some hours, by hour for as long as a rotation
-- can take.
CREATE TABLE secret_usage (
    key_id         TEXT    NOT NULL,
    step           TEXT    NOT NULL,
    at             INTEGER NOT NULL,
    secret_version INTEGER NOT NULL,
    exports        INTEGER NOT NULL,
    CONSTRAINT secret_usage_one PRIMARY KEY (key_id, step, at, secret_version)
) STRICT, WITHOUT ROWID;

CREATE INDEX secret_usage_at ON secret_usage (step, at);
