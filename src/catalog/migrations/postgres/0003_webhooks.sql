-- Who is told of what happens to keys, what is on its way to them, and what they have been told.

CREATE TABLE webhooks (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project          TEXT COLLATE "C" REFERENCES projects (slug),
    url              TEXT COLLATE "C" NOT NULL,
    note             TEXT COLLATE "C" NOT NULL,
    events           TEXT COLLATE "C" NOT NULL,
    secret_version   BIGINT NOT NULL,
    secret_pepper    BIGINT NOT NULL,
    previous_version BIGINT,
    previous_pepper  BIGINT,
    previous_until   BIGINT,
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    created_by       TEXT COLLATE "C" NOT NULL,
    updated_at       BIGINT NOT NULL,
    disabled_at      BIGINT,
    disabled_because TEXT COLLATE "C",
    failing_since    BIGINT,
    -- The newest entry of the audit log when it was made: it is told of what comes behind.
    since            BIGINT NOT NULL,
    CONSTRAINT webhooks_disabled CHECK ((disabled_at IS NULL) = (disabled_because IS NULL)),
    CONSTRAINT webhooks_previous CHECK (
        (previous_until IS NULL) = (previous_version IS NULL) AND (previous_until IS NULL) = (previous_pepper IS NULL)
    )
);

CREATE TABLE webhook_deliveries (
    webhook          TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event            TEXT COLLATE "C" NOT NULL,
    kind             TEXT COLLATE "C" NOT NULL,
    payload          TEXT COLLATE "C" NOT NULL,
    created_at       BIGINT NOT NULL,
    state            TEXT COLLATE "C" NOT NULL,
    next_at          BIGINT,
    attempts         BIGINT NOT NULL,
    attempted_at     BIGINT,
    took             BIGINT,
    status           BIGINT,
    error            TEXT COLLATE "C",
    PRIMARY KEY (webhook, event),
    CONSTRAINT webhook_deliveries_state CHECK ((state = 'pending') = (next_at IS NOT NULL))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);

-- Up to which entry of the audit log events have been written into the deliveries.
CREATE TABLE outbox (
    id               BIGINT NOT NULL PRIMARY KEY,
    seq              BIGINT NOT NULL,
    CONSTRAINT outbox_one CHECK (id = 1)
);
INSERT INTO outbox (id, seq) VALUES (1, 0);

-- Which notices about a key have been given. A row is taken away when its cause is gone, so that the next time counts anew.
CREATE TABLE notices (
    key_id           TEXT COLLATE "C" NOT NULL,
    cause            TEXT COLLATE "C" NOT NULL,
    noticed_at       BIGINT NOT NULL,
    PRIMARY KEY (key_id, cause)
);

CREATE INDEX keys_living_by_id_of_project ON keys (project, id) WHERE revoked_at IS NULL;
