-- Single exports, for as long as they are kept. Without a project nobody proved whose they are.
CREATE TABLE requests (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at             BIGINT NOT NULL,
    took           BIGINT NOT NULL,
    transport      TEXT COLLATE "C" NOT NULL,
    signal         TEXT COLLATE "C",
    project        TEXT COLLATE "C" NOT NULL,
    grid           TEXT COLLATE "C",
    environment    TEXT COLLATE "C",
    key_id         TEXT COLLATE "C",
    secret_version BIGINT,
    outcome        TEXT COLLATE "C" NOT NULL,
    reason         TEXT COLLATE "C",
    detail         TEXT COLLATE "C",
    items          BIGINT,
    wire_bytes     BIGINT,
    bytes          BIGINT,
    address        TEXT COLLATE "C" NOT NULL,
    agent          TEXT COLLATE "C",
    service        TEXT COLLATE "C",
    host           TEXT COLLATE "C",
    deployment     TEXT COLLATE "C",
    CONSTRAINT requests_tenant CHECK ((grid IS NULL) = (project = '') AND (environment IS NULL) = (project = '')),
    CONSTRAINT requests_reason CHECK ((reason IS NULL) = (outcome <> 'refused'))
);

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
    minute         BIGINT NOT NULL,
    project        TEXT COLLATE "C" NOT NULL,
    exports        BIGINT NOT NULL,
    PRIMARY KEY (minute, project)
);
