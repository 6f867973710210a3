-- Who is told of what happens to keys, what is on its way to them, and what they have been told.

CREATE TABLE webhooks (
    id               TEXT NOT NULL PRIMARY KEY,
    project          TEXT REFERENCES projects (slug),
    url              TEXT NOT NULL,
    note             TEXT NOT NULL,
    events           TEXT NOT NULL,
    secret_version   INTEGER NOT NULL,
    secret_pepper    INTEGER NOT NULL,
    previous_version INTEGER,
    previous_pepper  INTEGER,
    previous_until   INTEGER,
    version          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    created_by       TEXT NOT NULL,
    updated_at       INTEGER NOT NULL,
    disabled_at      INTEGER,
    disabled_because TEXT,
    failing_since    INTEGER,
    -- The newest entry of the audit log when it was made: it is told of what comes behind.
    since            INTEGER NOT NULL,
    CONSTRAINT webhooks_disabled CHECK ((disabled_at IS NULL) = (disabled_because IS NULL)),
    CONSTRAINT webhooks_previous CHECK (
        (previous_until IS NULL) = (previous_version IS NULL) AND (previous_until IS NULL) = (previous_pepper IS NULL)
    )
) STRICT;

CREATE TABLE webhook_deliveries (
    webhook          TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event            TEXT NOT NULL,
    kind             TEXT NOT NULL,
    payload          TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    state            TEXT NOT NULL,
    next_at          INTEGER,
    attempts         INTEGER NOT NULL,
    attempted_at     INTEGER,
    took             INTEGER,
    status           INTEGER,
    error            TEXT,
    PRIMARY KEY (webhook, event),
    CONSTRAINT webhook_deliveries_state CHECK ((state = 'pending') = (next_at IS NOT NULL))
) STRICT;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);

-- Up to which entry of the audit log events have been written into the deliveries.
CREATE TABLE outbox (
    id               INTEGER NOT NULL PRIMARY KEY,
    seq              INTEGER NOT NULL,
    CONSTRAINT outbox_one CHECK (id = 1)
) STRICT;
INSERT INTO outbox (id, seq) VALUES (1, 0);

-- Which notices about a key have been given. A row is taken away when its cause is gone, so that the next time counts anew.
CREATE TABLE notices (
    key_id           TEXT NOT NULL,
    cause            TEXT NOT NULL,
    noticed_at       INTEGER NOT NULL,
    PRIMARY KEY (key_id, cause)
) STRICT;

CREATE INDEX keys_living_by_id_of_project ON keys (project, id) WHERE revoked_at IS NULL;
