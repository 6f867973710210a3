-- How many exports came with which secret, of keys with two good ones: by minute for some hours, by hour for as long as a rotation
-- can take.
CREATE TABLE secret_usage (
    key_id         TEXT COLLATE "C" NOT NULL,
    step           TEXT COLLATE "C" NOT NULL,
    at             BIGINT NOT NULL,
    secret_version INTEGER NOT NULL,
    exports        BIGINT NOT NULL,
    CONSTRAINT secret_usage_one PRIMARY KEY (key_id, step, at, secret_version)
);

CREATE INDEX secret_usage_at ON secret_usage (step, at);
