CREATE TABLE environments (
    slug       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    code       TEXT COLLATE "C" NOT NULL UNIQUE,
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT environments_slug CHECK (length(slug) BETWEEN 1 AND 40 AND slug ~ '^[a-z0-9-]+$'),
    CONSTRAINT environments_code CHECK (length(code) BETWEEN 2 AND 8 AND code ~ '^[a-z0-9]+$')
);

CREATE TABLE projects (
    slug       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT projects_slug CHECK (length(slug) BETWEEN 1 AND 40 AND slug ~ '^[a-z0-9-]+$')
);

CREATE TABLE grids (
    project    TEXT COLLATE "C" NOT NULL REFERENCES projects (slug),
    slug       TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project, slug),
    CONSTRAINT grids_slug CHECK (length(slug) BETWEEN 1 AND 40 AND slug ~ '^[a-z0-9-]+$')
);

CREATE TABLE tenants (
    project     TEXT COLLATE "C" NOT NULL,
    grid        TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL REFERENCES environments (slug),
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (project, grid, environment),
    CONSTRAINT tenants_grid FOREIGN KEY (project, grid) REFERENCES grids (project, slug)
);

CREATE TABLE keys (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind        TEXT COLLATE "C" NOT NULL,
    project     TEXT COLLATE "C" REFERENCES projects (slug),
    grid        TEXT COLLATE "C",
    environment TEXT COLLATE "C",
    name        TEXT COLLATE "C" NOT NULL,
    permissions TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    created_by  TEXT COLLATE "C",
    expires_at  BIGINT,
    disabled_at BIGINT,
    revoked_at  BIGINT,
    CONSTRAINT keys_tenant FOREIGN KEY (project, grid, environment) REFERENCES tenants (project, grid, environment),
    CONSTRAINT keys_id CHECK (length(id) = 16 AND id LIKE 'key\_%'),
    CONSTRAINT keys_binding CHECK (
        (kind = 'ingest' AND project IS NOT NULL AND grid IS NOT NULL AND environment IS NOT NULL)
        OR (kind = 'admin' AND grid IS NULL AND environment IS NULL)
    )
);

-- A name is free again once its key is revoked.
CREATE UNIQUE INDEX keys_name
    ON keys (COALESCE(project, ''), COALESCE(grid, ''), COALESCE(environment, ''), name)
    WHERE revoked_at IS NULL;
CREATE INDEX keys_newest ON keys (created_at DESC, id);
CREATE INDEX keys_newest_of_project ON keys (project, created_at DESC, id);

CREATE TABLE secrets (
    key_id     TEXT COLLATE "C" NOT NULL REFERENCES keys (id),
    version    BIGINT NOT NULL,
    digest     BYTEA NOT NULL,
    pepper     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    retires_at BIGINT,
    PRIMARY KEY (key_id, version),
    CONSTRAINT secrets_version CHECK (version BETWEEN 1 AND 4294967295),
    CONSTRAINT secrets_digest CHECK (length(digest) = 32),
    CONSTRAINT secrets_pepper CHECK (pepper BETWEEN 0 AND 4294967295)
);

INSERT INTO environments (slug, code, name, created_at)
SELECT slug, code, name, (extract(epoch FROM date_trunc('second', now())) * 1000000)::BIGINT
FROM (VALUES
    ('production', 'prd', 'Production'),
    ('staging', 'stg', 'Staging'),
    ('development', 'dev', 'Development')
) AS built_in (slug, code, name);
