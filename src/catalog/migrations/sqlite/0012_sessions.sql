-- Sessions of the console, by the digest of what the browser holds.
CREATE TABLE sessions (
    digest         BLOB    NOT NULL PRIMARY KEY,
    id             TEXT    NOT NULL,
    key_id         TEXT    NOT NULL,
    secret_version INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    seen_at        INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    address        TEXT,
    user_agent     TEXT,
    CONSTRAINT sessions_key FOREIGN KEY (key_id) REFERENCES keys (id) ON DELETE CASCADE
) STRICT;

CREATE INDEX sessions_of_key ON sessions (key_id, created_at);
CREATE INDEX sessions_ended ON sessions (expires_at);
