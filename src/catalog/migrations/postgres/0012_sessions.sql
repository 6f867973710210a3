-- Sessions of the console, by the digest of what the browser holds.
CREATE TABLE sessions (
    digest         BYTEA NOT NULL PRIMARY KEY,
    id             TEXT COLLATE "C" NOT NULL,
    key_id         TEXT COLLATE "C" NOT NULL,
    secret_version INTEGER NOT NULL,
    created_at     BIGINT NOT NULL,
    seen_at        BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    address        TEXT,
    user_agent     TEXT,
    CONSTRAINT sessions_key FOREIGN KEY (key_id) REFERENCES keys (id) ON DELETE CASCADE
);

CREATE INDEX sessions_of_key ON sessions (key_id, created_at);
CREATE INDEX sessions_ended ON sessions (expires_at);
