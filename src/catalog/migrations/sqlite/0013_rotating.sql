-- Which keys have two secrets that are let in.
CREATE INDEX secrets_retiring ON secrets (retires_at, key_id) WHERE retires_at IS NOT NULL;
