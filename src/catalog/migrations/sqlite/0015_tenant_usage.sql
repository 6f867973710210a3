-- The sums of usage over the keys of each tenant: what an installation has used is read from as many rows as there are tenants, however
-- many keys there are.
CREATE TABLE tenant_usage (
    step             TEXT NOT NULL,
    at               INTEGER NOT NULL,
    project          TEXT NOT NULL,
    grid             TEXT NOT NULL,
    environment      TEXT NOT NULL,
    signal           TEXT NOT NULL,
    outcome          TEXT NOT NULL,
    exports          INTEGER NOT NULL,
    items            INTEGER NOT NULL,
    wire_bytes       INTEGER NOT NULL,
    bytes            INTEGER NOT NULL,
    PRIMARY KEY (step, at, project, grid, environment, signal, outcome)
) STRICT, WITHOUT ROWID;
CREATE INDEX tenant_usage_of_project ON tenant_usage (project, step, at);

INSERT INTO tenant_usage
SELECT
    step, at, project, grid, environment, signal, outcome, SUM(exports), SUM(items), SUM(wire_bytes), SUM(bytes)
FROM usage
GROUP BY step, at, project, grid, environment, signal, outcome;

-- Without statistics a key is to SQLite no rarer than a step, and it may read what all keys have used to find what one has. These are of
-- the right order for ten thousand keys and a thousand tenants; ANALYZE puts the real ones in their place.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1 WHERE tbl IN ('usage', 'tenant_usage');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('usage', 'sqlite_autoindex_usage_1', '10000000 3000000 10000 100 30 30 3 3 1'),
    ('usage', 'usage_at', '10000000 3000000 3000'),
    ('usage', 'usage_of_key', '10000000 1000 300 3'),
    ('usage', 'usage_of_tenant', '10000000 10000 5000 3000 1000 30'),
    ('tenant_usage', 'tenant_usage', '1000000 300000 3000 30 10 3 2 1'),
    ('tenant_usage', 'tenant_usage_of_project', '1000000 10000 3000 30');
ANALYZE sqlite_schema;
