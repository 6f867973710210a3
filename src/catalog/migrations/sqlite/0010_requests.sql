-- Single exports, for as long as they are kept. Without a project nobody proved whose they are.
CREATE TABLE requests (
    id             TEXT    NOT NULL PRIMARY KEY,
    at             INTEGER NOT NULL,
    took           INTEGER NOT NULL,
    transport      TEXT    NOT NULL,
    signal         TEXT,
    project        TEXT    NOT NULL,
    grid           TEXT,
    environment    TEXT,
    key_id         TEXT,
    secret_version INTEGER,
    outcome        TEXT    NOT NULL,
    reason         TEXT,
    detail         TEXT,
    items          INTEGER,
    wire_bytes     INTEGER,
    bytes          INTEGER,
    address        TEXT    NOT NULL,
    agent          TEXT,
    service        TEXT,
    host           TEXT,
    deployment     TEXT,
    CONSTRAINT requests_tenant CHECK ((grid IS NULL) = (project = '') AND (environment IS NULL) = (project = '')),
    CONSTRAINT requests_reason CHECK ((reason IS NULL) = (outcome <> 'refused'))
) STRICT;

CREATE INDEX requests_at ON requests (at, id);
CREATE INDEX requests_project ON requests (project, at, id);
CREATE INDEX requests_project_outcome ON requests (project, outcome, at, id);
CREATE INDEX requests_key ON requests (key_id, at, id) WHERE key_id IS NOT NULL;
CREATE INDEX requests_outcome ON requests (outcome, at, id);
CREATE INDEX requests_reason ON requests (reason, at, id) WHERE reason IS NOT NULL;
CREATE INDEX requests_address ON requests (address, at, id);
CREATE INDEX requests_service ON requests (service, at, id) WHERE service IS NOT NULL;

-- How many exports of a minute there was no room for.
CREATE TABLE requests_not_logged (
    minute         INTEGER NOT NULL,
    project        TEXT    NOT NULL,
    exports        INTEGER NOT NULL,
    PRIMARY KEY (minute, project)
) STRICT;
