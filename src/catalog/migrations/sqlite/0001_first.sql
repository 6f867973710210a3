CREATE TABLE environments (
    slug       TEXT    NOT NULL PRIMARY KEY,
    code       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT environments_slug CHECK (length(slug) BETWEEN 1 AND 40 AND slug NOT GLOB '*[^a-z0-9-]*'),
    CONSTRAINT environments_code CHECK (length(code) BETWEEN 2 AND 8 AND code NOT GLOB '*[^a-z0-9]*')
) STRICT;

CREATE TABLE projects (
    slug       TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT projects_slug CHECK (length(slug) BETWEEN 1 AND 40 AND slug NOT GLOB '*[^a-z0-9-]*')
) STRICT;

CREATE TABLE grids (
    project    TEXT    NOT NULL REFERENCES projects (slug),
    slug       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project, slug),
    CONSTRAINT grids_slug CHECK (length(slug) BETWEEN 1 AND 40 AND slug NOT GLOB '*[^a-z0-9-]*')
) STRICT;

CREATE TABLE tenants (
    project     TEXT    NOT NULL,
    grid        TEXT    NOT NULL,
    environment TEXT    NOT NULL REFERENCES environments (slug),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (project, grid, environment),
    CONSTRAINT tenants_grid FOREIGN KEY (project, grid) REFERENCES grids (project, slug)
) STRICT;

CREATE TABLE keys (
    id          TEXT    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    project     TEXT    REFERENCES projects (slug),
    grid        TEXT,
    environment TEXT,
    name        TEXT    NOT NULL,
    permissions TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    created_by  TEXT,
    expires_at  INTEGER,
    disabled_at INTEGER,
    revoked_at  INTEGER,
    CONSTRAINT keys_tenant FOREIGN KEY (project, grid, environment) REFERENCES tenants (project, grid, environment),
    CONSTRAINT keys_id CHECK (length(id) = 16 AND id GLOB 'key_*'),
    CONSTRAINT keys_binding CHECK (
        (kind = 'ingest' AND project IS NOT NULL AND grid IS NOT NULL AND environment IS NOT NULL)
        OR (kind = 'admin' AND grid IS NULL AND environment IS NULL)
    )
) STRICT;

-- A name is free again once its key is revoked.
CREATE UNIQUE INDEX keys_name
    ON keys (COALESCE(project, ''), COALESCE(grid, ''), COALESCE(environment, ''), name)
    WHERE revoked_at IS NULL;
CREATE INDEX keys_newest ON keys (created_at DESC, id);
CREATE INDEX keys_newest_of_project ON keys (project, created_at DESC, id);

CREATE TABLE secrets (
    key_id     TEXT    NOT NULL REFERENCES keys (id),
    version    INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    pepper     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    retires_at INTEGER,
    PRIMARY KEY (key_id, version),
    CONSTRAINT secrets_version CHECK (version BETWEEN 1 AND 4294967295),
    CONSTRAINT secrets_digest CHECK (length(digest) = 32),
    CONSTRAINT secrets_pepper CHECK (pepper BETWEEN 0 AND 4294967295)
) STRICT;

INSERT INTO environments (slug, code, name, created_at)
SELECT column1, column2, column3, CAST(strftime('%s', 'now') AS INTEGER) * 1000000
FROM (VALUES
    ('production', 'prd', 'Production'),
    ('staging', 'stg', 'Staging'),
    ('development', 'dev', 'Development')
);
