-- Who uses which key: one row for each sender that a key has been seen with. All but the address is what senders say of themselves.
CREATE TABLE senders (
    key_id         TEXT COLLATE "C" NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    project        TEXT COLLATE "C" NOT NULL,
    secret_version BIGINT NOT NULL,
    service        TEXT COLLATE "C",
    host           TEXT COLLATE "C",
    sdk            TEXT COLLATE "C",
    agent          TEXT COLLATE "C",
    address        TEXT COLLATE "C" NOT NULL,
    first_at       BIGINT NOT NULL,
    last_at        BIGINT NOT NULL,
    accepted_at    BIGINT,
    exports        BIGINT NOT NULL,
    refused        BIGINT NOT NULL,
    CONSTRAINT senders_pkey PRIMARY KEY (key_id, id)
);

-- For lists of one project and of all, and for what is to be forgotten.
CREATE INDEX senders_project ON senders (project, first_at, key_id, id);
CREATE INDEX senders_first ON senders (first_at, key_id, id);
CREATE INDEX senders_last ON senders (last_at);

-- What is left of the senders of a key that there was no room for.
CREATE TABLE other_senders (
    key_id  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    senders BIGINT NOT NULL,
    exports BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);
