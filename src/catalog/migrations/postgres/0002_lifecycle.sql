-- Everything that the life of a key needs beyond its being made and revoked.

ALTER TABLE keys ADD COLUMN note TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN tags TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN owner TEXT COLLATE "C";
ALTER TABLE keys ADD COLUMN role TEXT COLLATE "C";
ALTER TABLE keys ADD COLUMN allowed TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN member BIGINT NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE keys ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN exposed_at BIGINT;
ALTER TABLE keys ADD COLUMN reviewed_at BIGINT;
-- The latest of its secrets'.
ALTER TABLE keys ADD COLUMN last_used_at BIGINT;
-- What lists are ordered by: never used is before every use, never expiring behind every expiry.
ALTER TABLE keys ADD COLUMN used_order BIGINT GENERATED ALWAYS AS (COALESCE(last_used_at, -9223372036854775807)) STORED;
ALTER TABLE keys ADD COLUMN expiry_order BIGINT GENERATED ALWAYS AS (COALESCE(expires_at, 9223372036854775807)) STORED;
ALTER TABLE keys ADD COLUMN name_folded TEXT COLLATE "C" NOT NULL DEFAULT '';

UPDATE keys SET updated_at = created_at, name_folded = lower(name);
UPDATE keys
SET role = 'owner', permissions = ''
WHERE kind = 'admin' AND permissions = 'api.key.create api.key.delete api.key.update api.key.view grid.create grid.view project.create project.view';
UPDATE keys
SET role = 'ingest', permissions = ''
WHERE kind = 'ingest' AND permissions = 'telemetry.logs.write telemetry.metrics.write telemetry.profiles.write telemetry.traces.write';

-- A name is free again once its key is revoked or has expired, which no index can know.
DROP INDEX keys_name;
CREATE INDEX keys_name
    ON keys (name, COALESCE(project, ''), COALESCE(grid, ''), COALESCE(environment, ''))
    WHERE revoked_at IS NULL;

-- What lists are read along: each page begins at its position in one of these and reads on. Those that are revoked stay for long, and
-- most lists leave them out.
DROP INDEX keys_newest;
DROP INDEX keys_newest_of_project;
CREATE INDEX keys_created ON keys (created_at, id);
CREATE INDEX keys_created_of_project ON keys (project, created_at, id);
CREATE INDEX keys_created_of_tenant ON keys (project, grid, environment, created_at, id);
CREATE INDEX keys_living ON keys (created_at, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_living_of_project ON keys (project, created_at, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_living_of_tenant ON keys (project, grid, environment, created_at, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_revoked ON keys (created_at, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX keys_revoked_of_project ON keys (project, created_at, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX keys_named ON keys (name_folded, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_named_of_project ON keys (project, name_folded, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_used ON keys (used_order, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_used_of_project ON keys (project, used_order, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_expiring ON keys (expiry_order, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_expiring_of_project ON keys (project, expiry_order, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_with_role ON keys (role, created_at, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_with_role_of_project ON keys (role, project, created_at, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_owned ON keys (owner, created_at, id) WHERE owner IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX keys_owned_of_project
    ON keys (owner, project, created_at, id)
    WHERE owner IS NOT NULL AND revoked_at IS NULL;
-- The few among the many.
CREATE INDEX keys_of_members ON keys (member, created_at, id) WHERE member = 1 AND revoked_at IS NULL;
CREATE INDEX keys_of_members_of_project
    ON keys (member, project, created_at, id)
    WHERE member = 1 AND revoked_at IS NULL;
CREATE INDEX keys_of_admins ON keys (kind, created_at, id) WHERE kind = 'admin' AND revoked_at IS NULL;
CREATE INDEX keys_of_admins_of_project
    ON keys (kind, project, created_at, id)
    WHERE kind = 'admin' AND revoked_at IS NULL;
CREATE INDEX keys_disabled ON keys (created_at, id) WHERE disabled_at IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX keys_exposed ON keys (created_at, id) WHERE exposed_at IS NOT NULL AND revoked_at IS NULL;

-- The tags of keys.tags, one by one, to be found by, with what lists of them are read along.
CREATE TABLE key_tags (
    tag        TEXT COLLATE "C" NOT NULL,
    key_id     TEXT COLLATE "C" NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
    project    TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    revoked    BIGINT NOT NULL,
    PRIMARY KEY (tag, key_id)
);
CREATE INDEX key_tags_of_key ON key_tags (key_id);
CREATE INDEX key_tags_living ON key_tags (tag, created_at, key_id) WHERE revoked = 0;
CREATE INDEX key_tags_living_of_project ON key_tags (tag, project, created_at, key_id) WHERE revoked = 0;

ALTER TABLE secrets ADD COLUMN algorithm TEXT COLLATE "C" NOT NULL DEFAULT 'hmac-sha256';
ALTER TABLE secrets ADD COLUMN format TEXT COLLATE "C" NOT NULL DEFAULT 'token';
ALTER TABLE secrets ADD COLUMN drained_after BIGINT;
ALTER TABLE secrets ADD COLUMN first_used_at BIGINT;
ALTER TABLE secrets ADD COLUMN last_used_at BIGINT;
ALTER TABLE secrets ADD COLUMN last_used_address TEXT COLLATE "C";
ALTER TABLE secrets ADD COLUMN last_used_agent TEXT COLLATE "C";
-- Tokens that name no key are looked up by it.
CREATE INDEX secrets_digest ON secrets (digest);
-- Those that wait to be drained are few.
CREATE INDEX secrets_draining ON secrets (key_id, version) WHERE drained_after IS NOT NULL;

ALTER TABLE projects ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE projects ADD COLUMN max_active_keys BIGINT;
ALTER TABLE environments ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
-- Keys of the environment are due for a new secret after so many days.
ALTER TABLE environments ADD COLUMN rotation_days BIGINT;
UPDATE environments SET rotation_days = CASE slug WHEN 'development' THEN 180 ELSE 90 END;

-- Roles of the deployment's own; '' is the project of those of the whole installation.
CREATE TABLE roles (
    project     TEXT COLLATE "C" NOT NULL,
    slug        TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    note        TEXT COLLATE "C" NOT NULL,
    permissions TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (project, slug),
    CONSTRAINT roles_kind CHECK (kind IN ('ingest', 'admin'))
);
CREATE INDEX keys_role ON keys (role, project) WHERE role IS NOT NULL;

-- Every change, each entry's hash over the one before. Nothing is ever changed or taken away.
CREATE TABLE audit (
    seq         BIGINT NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    action      TEXT COLLATE "C" NOT NULL,
    actor       TEXT COLLATE "C",
    actor_name  TEXT COLLATE "C" NOT NULL,
    via         TEXT COLLATE "C" NOT NULL,
    address     TEXT COLLATE "C",
    user_agent  TEXT COLLATE "C",
    request_id  TEXT COLLATE "C",
    target_kind TEXT COLLATE "C" NOT NULL,
    target      TEXT COLLATE "C" NOT NULL,
    project     TEXT COLLATE "C",
    before      TEXT COLLATE "C",
    after       TEXT COLLATE "C",
    hash        BYTEA NOT NULL,
    CONSTRAINT audit_hash CHECK (length(hash) = 32)
);
CREATE INDEX audit_of_project ON audit (project, seq DESC);
CREATE INDEX audit_of_target ON audit (target_kind, target, seq DESC);
CREATE INDEX audit_of_actor ON audit (actor, seq DESC);
CREATE INDEX audit_of_action ON audit (action, seq DESC);
CREATE INDEX audit_at ON audit (at, seq DESC);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- The end of the chain. Who writes locks it first, so that entries have one order.
CREATE TABLE audit_head (
    id   BIGINT NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT audit_head_one CHECK (id = 1),
    CONSTRAINT audit_head_hash CHECK (length(hash) = 32)
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));
