-- What keys are looked for by that need attention. Unused since the last use, or else since it was made.
ALTER TABLE keys ADD COLUMN idle_order INTEGER GENERATED ALWAYS AS (COALESCE(last_used_at, created_at)) VIRTUAL;
-- When its current secret was made; without one behind all others.
ALTER TABLE keys ADD COLUMN secret_order INTEGER NOT NULL DEFAULT 9223372036854775807;
-- Whether a secret of it was ever found in public.
ALTER TABLE keys ADD COLUMN exposed INTEGER GENERATED ALWAYS AS (CASE WHEN exposed_at IS NULL THEN 0 ELSE 1 END) VIRTUAL;
-- Whether its current secret is a legacy one.
ALTER TABLE keys ADD COLUMN weak INTEGER NOT NULL DEFAULT 0;

UPDATE keys
SET secret_order = current.created_at, weak = CASE WHEN current.format = 'uuid' THEN 1 ELSE 0 END
FROM secrets AS current
WHERE current.key_id = keys.id AND current.retires_at IS NULL;

CREATE INDEX keys_idle ON keys (idle_order, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_idle_of_project ON keys (project, idle_order, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_never_used ON keys (last_used_at, created_at, id) WHERE last_used_at IS NULL AND revoked_at IS NULL;
CREATE INDEX keys_never_used_of_project
    ON keys (project, last_used_at, created_at, id)
    WHERE last_used_at IS NULL AND revoked_at IS NULL;
-- Each environment has a time of its own after which secrets are due, and keys without one have theirs.
CREATE INDEX keys_rotating ON keys (COALESCE(environment, ''), secret_order, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_rotating_of_project ON keys (project, environment, secret_order, id) WHERE revoked_at IS NULL;
CREATE INDEX keys_rotating_admins ON keys (kind, secret_order, id) WHERE kind = 'admin' AND revoked_at IS NULL;
CREATE INDEX keys_rotating_admins_of_project
    ON keys (kind, project, secret_order, id)
    WHERE kind = 'admin' AND revoked_at IS NULL;
CREATE INDEX keys_weak ON keys (weak, created_at, id) WHERE weak = 1 AND revoked_at IS NULL;
CREATE INDEX keys_weak_of_project ON keys (weak, project, created_at, id) WHERE weak = 1 AND revoked_at IS NULL;
DROP INDEX keys_exposed;
CREATE INDEX keys_exposed ON keys (exposed, created_at, id) WHERE exposed = 1 AND revoked_at IS NULL;
CREATE INDEX keys_exposed_of_project ON keys (exposed, project, created_at, id) WHERE exposed = 1 AND revoked_at IS NULL;
