-- What holds for exports beside their key: plans, limits, and projects that are suspended. Limits are kept in their text form.

CREATE TABLE plans (
    slug            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL,
    note            TEXT COLLATE "C" NOT NULL,
    key_limits      TEXT COLLATE "C" NOT NULL,
    tenant_limits   TEXT COLLATE "C" NOT NULL,
    project_limits  TEXT COLLATE "C" NOT NULL,
    max_active_keys BIGINT,
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

ALTER TABLE projects ADD COLUMN plan TEXT COLLATE "C" REFERENCES plans (slug);
ALTER TABLE projects ADD COLUMN plan_ends_at BIGINT;
-- The end that webhooks have been told of.
ALTER TABLE projects ADD COLUMN plan_end_told BIGINT;
ALTER TABLE projects ADD COLUMN limits TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN suspended_at BIGINT;
ALTER TABLE projects ADD COLUMN suspended_because TEXT COLLATE "C";
CREATE INDEX projects_of_plan ON projects (plan) WHERE plan IS NOT NULL;
CREATE INDEX projects_ending ON projects (plan_ends_at) WHERE plan_ends_at IS NOT NULL;

ALTER TABLE tenants ADD COLUMN limits TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

ALTER TABLE keys ADD COLUMN limits TEXT COLLATE "C" NOT NULL DEFAULT '';
