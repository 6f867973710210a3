-- Exports that were turned away, and environments that drift, in groups. The id is a hash of what a group has in common. Empty texts
-- stand for what is not known; without an address a group stands for more of them than have a row of their own. In a project the key
-- was proved, otherwise it is only claimed.
CREATE TABLE refusals (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project    TEXT COLLATE "C" NOT NULL,
    key_id     TEXT COLLATE "C" NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    address    TEXT COLLATE "C" NOT NULL,
    agent      TEXT COLLATE "C" NOT NULL,
    service    TEXT COLLATE "C" NOT NULL,
    first_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    exports    BIGINT NOT NULL,
    detail     TEXT COLLATE "C" NOT NULL,
    signals    BIGINT NOT NULL,
    transports BIGINT NOT NULL,
    CONSTRAINT refusals_exports CHECK (exports > 0)
);

CREATE INDEX refusals_last ON refusals (last_at, id);
CREATE INDEX refusals_project ON refusals (project, last_at, id);
CREATE INDEX refusals_key ON refusals (key_id, last_at, id);
