-- What holds for exports beside their key: plans, limits, and projects that are suspended. Limits are kept in their text form.

CREATE TABLE plans (
    slug            TEXT NOT NULL PRIMARY KEY,
    name            TEXT NOT NULL,
    note            TEXT NOT NULL,
    key_limits      TEXT NOT NULL,
    tenant_limits   TEXT NOT NULL,
    project_limits  TEXT NOT NULL,
    max_active_keys INTEGER,
    version         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

ALTER TABLE projects ADD COLUMN plan TEXT REFERENCES plans (slug);
ALTER TABLE projects ADD COLUMN plan_ends_at INTEGER;
-- The end that webhooks have been told of.
ALTER TABLE projects ADD COLUMN plan_end_told INTEGER;
ALTER TABLE projects ADD COLUMN limits TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN suspended_at INTEGER;
ALTER TABLE projects ADD COLUMN suspended_because TEXT;
CREATE INDEX projects_of_plan ON projects (plan) WHERE plan IS NOT NULL;
CREATE INDEX projects_ending ON projects (plan_ends_at) WHERE plan_ends_at IS NOT NULL;

ALTER TABLE tenants ADD COLUMN limits TEXT NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE keys ADD COLUMN limits TEXT NOT NULL DEFAULT '';
