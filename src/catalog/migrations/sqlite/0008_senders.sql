-- Who uses which key: one row for each sender that a key has been seen with. All but the address is what senders say of themselves.
CREATE TABLE senders (
    key_id         TEXT NOT NULL,
    id             TEXT NOT NULL,
    project        TEXT NOT NULL,
    secret_version INTEGER NOT NULL,
    service        TEXT,
    host           TEXT,
    sdk            TEXT,
    agent          TEXT,
    address        TEXT NOT NULL,
    first_at       INTEGER NOT NULL,
    last_at        INTEGER NOT NULL,
    accepted_at    INTEGER,
    exports        INTEGER NOT NULL,
    refused        INTEGER NOT NULL,
    CONSTRAINT senders_pkey PRIMARY KEY (key_id, id)
) STRICT;

-- For lists of one project and of all, and for what is to be forgotten.
CREATE INDEX senders_project ON senders (project, first_at, key_id, id);
CREATE INDEX senders_first ON senders (first_at, key_id, id);
CREATE INDEX senders_last ON senders (last_at);

-- What is left of the senders of a key that there was no room for.
CREATE TABLE other_senders (
    key_id  TEXT NOT NULL PRIMARY KEY,
    senders INTEGER NOT NULL,
    exports INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;
