-- How much came in and what became of it, by minute, hour and day: each export is in all three. What nobody proved anything of has
-- empty names.
CREATE TABLE usage (
    step             TEXT COLLATE "C" NOT NULL,
    at               BIGINT NOT NULL,
    project          TEXT COLLATE "C" NOT NULL,
    grid             TEXT COLLATE "C" NOT NULL,
    environment      TEXT COLLATE "C" NOT NULL,
    key_id           TEXT COLLATE "C" NOT NULL,
    signal           TEXT COLLATE "C" NOT NULL,
    outcome          TEXT COLLATE "C" NOT NULL,
    exports          BIGINT NOT NULL,
    items            BIGINT NOT NULL,
    wire_bytes       BIGINT NOT NULL,
    bytes            BIGINT NOT NULL,
    PRIMARY KEY (step, project, at, grid, environment, key_id, signal, outcome)
);
CREATE INDEX usage_at ON usage (step, at);
CREATE INDEX usage_of_key ON usage (key_id, step, at);
CREATE INDEX usage_of_tenant ON usage (project, grid, environment, step, at);

-- The last flush of each process that writes usage: one whose answer was lost is not counted twice.
CREATE TABLE usage_writers (
    writer           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    flush            BIGINT NOT NULL,
    at               BIGINT NOT NULL
);
CREATE INDEX usage_writers_at ON usage_writers (at);

-- What of the accepted exports of each hour has been told to webhooks, in so many events. More was counted since where touched is
-- not seen.
CREATE TABLE usage_hours (
    at               BIGINT NOT NULL,
    project          TEXT COLLATE "C" NOT NULL,
    grid             TEXT COLLATE "C" NOT NULL,
    environment      TEXT COLLATE "C" NOT NULL,
    key_id           TEXT COLLATE "C" NOT NULL,
    signal           TEXT COLLATE "C" NOT NULL,
    events           BIGINT NOT NULL DEFAULT 0,
    exports          BIGINT NOT NULL DEFAULT 0,
    items            BIGINT NOT NULL DEFAULT 0,
    wire_bytes       BIGINT NOT NULL DEFAULT 0,
    bytes            BIGINT NOT NULL DEFAULT 0,
    touched          BIGINT NOT NULL DEFAULT 1,
    seen             BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (at, project, grid, environment, key_id, signal)
);
CREATE INDEX usage_hours_untold ON usage_hours (at, project, grid, environment, key_id, signal) WHERE touched <> seen;
