-- Exports that were turned away, and environments that drift, in groups. The id is a hash of what a group has in common. Empty texts
-- stand for what is not known; without an address a group stands for more of them than have a row of their own. In a project the key
-- was proved, otherwise it is only claimed.
CREATE TABLE refusals (
    id         TEXT    NOT NULL PRIMARY KEY,
    project    TEXT    NOT NULL,
    key_id     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    service    TEXT    NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    exports    INTEGER NOT NULL,
    detail     TEXT    NOT NULL,
    signals    INTEGER NOT NULL,
    transports INTEGER NOT NULL,
    CONSTRAINT refusals_exports CHECK (exports > 0)
) STRICT;

CREATE INDEX refusals_last ON refusals (last_at, id);
CREATE INDEX refusals_project ON refusals (project, last_at, id);
CREATE INDEX refusals_key ON refusals (key_id, last_at, id);
