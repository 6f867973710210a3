-- What somebody was told of exports that are out of the ordinary, and of quotas: one row for each kind, key and cause. The id is a hash
-- of these. Empty texts stand for none.
CREATE TABLE alerts (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    alert   TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    key_id  TEXT COLLATE "C" NOT NULL,
    summary TEXT COLLATE "C" NOT NULL,
    data    TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);

CREATE INDEX alerts_newest ON alerts (at, id);
CREATE INDEX alerts_project ON alerts (project, at, id);
CREATE INDEX alerts_key ON alerts (key_id, alert, at);
CREATE INDEX alerts_last ON alerts (last_at);
