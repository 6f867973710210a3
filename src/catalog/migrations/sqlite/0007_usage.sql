-- How much came in and what became of it, by minute, hour and day: each export is in all three. What nobody proved anything of has
-- empty names.
CREATE TABLE usage (
    step             TEXT NOT NULL,
    at               INTEGER NOT NULL,
    project          TEXT NOT NULL,
    grid             TEXT NOT NULL,
    environment      TEXT NOT NULL,
    key_id           TEXT NOT NULL,
    signal           TEXT NOT NULL,
    outcome          TEXT NOT NULL,
    exports          INTEGER NOT NULL,
    items            INTEGER NOT NULL,
    wire_bytes       INTEGER NOT NULL,
    bytes            INTEGER NOT NULL,
    PRIMARY KEY (step, project, at, grid, environment, key_id, signal, outcome)
) STRICT;
CREATE INDEX usage_at ON usage (step, at);
CREATE INDEX usage_of_key ON usage (key_id, step, at);
CREATE INDEX usage_of_tenant ON usage (project, grid, environment, step, at);

-- The last flush of each process that writes usage: one whose answer was lost is not counted twice.
CREATE TABLE usage_writers (
    writer           TEXT NOT NULL PRIMARY KEY,
    flush            INTEGER NOT NULL,
    at               INTEGER NOT NULL
) STRICT;
CREATE INDEX usage_writers_at ON usage_writers (at);

-- What of the accepted exports of each hour has been told to webhooks, in so many events. More was counted since where touched is
-- not seen.
CREATE TABLE usage_hours (
    at               INTEGER NOT NULL,
    project          TEXT NOT NULL,
    grid             TEXT NOT NULL,
    environment      TEXT NOT NULL,
    key_id           TEXT NOT NULL,
    signal           TEXT NOT NULL,
    events           INTEGER NOT NULL DEFAULT 0,
    exports          INTEGER NOT NULL DEFAULT 0,
    items            INTEGER NOT NULL DEFAULT 0,
    wire_bytes       INTEGER NOT NULL DEFAULT 0,
    bytes            INTEGER NOT NULL DEFAULT 0,
    touched          INTEGER NOT NULL DEFAULT 1,
    seen             INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (at, project, grid, environment, key_id, signal)
) STRICT;
CREATE INDEX usage_hours_untold ON usage_hours (at, project, grid, environment, key_id, signal) WHERE touched <> seen;
