-- The sums of usage over the keys of each tenant: what an installation has used is read from as many rows as there are tenants, however
-- many keys there are.
CREATE TABLE tenant_usage (
    step             TEXT COLLATE "C" NOT NULL,
    at               BIGINT NOT NULL,
    project          TEXT COLLATE "C" NOT NULL,
    grid             TEXT COLLATE "C" NOT NULL,
    environment      TEXT COLLATE "C" NOT NULL,
    signal           TEXT COLLATE "C" NOT NULL,
    outcome          TEXT COLLATE "C" NOT NULL,
    exports          BIGINT NOT NULL,
    items            BIGINT NOT NULL,
    wire_bytes       BIGINT NOT NULL,
    bytes            BIGINT NOT NULL,
    PRIMARY KEY (step, at, project, grid, environment, signal, outcome)
);
CREATE INDEX tenant_usage_of_project ON tenant_usage (project, step, at);

INSERT INTO tenant_usage
SELECT
    step, at, project, grid, environment, signal, outcome, SUM(exports), SUM(items), SUM(wire_bytes), SUM(bytes)
FROM usage
GROUP BY step, at, project, grid, environment, signal, outcome;
