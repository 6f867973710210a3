-- What somebody was told of exports that are out of the ordinary, and of quotas: one row for each kind, key and cause. The id is a hash
-- of these. Empty texts stand for none.
CREATE TABLE alerts (
    id      TEXT    NOT NULL PRIMARY KEY,
    alert   TEXT    NOT NULL,
    project TEXT    NOT NULL,
    key_id  TEXT    NOT NULL,
    summary TEXT    NOT NULL,
    data    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;

CREATE INDEX alerts_newest ON alerts (at, id);
CREATE INDEX alerts_project ON alerts (project, at, id);
CREATE INDEX alerts_key ON alerts (key_id, alert, at);
CREATE INDEX alerts_last ON alerts (last_at);
