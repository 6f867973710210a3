-- Answers that show a secret, sealed under a key that the client holds, for who repeats a request. Without an answer the request
-- is under way, or its process died.
CREATE TABLE idempotent_answers (
    name        BYTEA NOT NULL PRIMARY KEY,
    request     BYTEA NOT NULL,
    caller      TEXT COLLATE "C" NOT NULL,
    reserved_at BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    sealed      BYTEA,
    CONSTRAINT idempotent_answers_name CHECK (length(name) = 32),
    CONSTRAINT idempotent_answers_request CHECK (length(request) = 32)
);

CREATE INDEX idempotent_answers_caller ON idempotent_answers (caller);
CREATE INDEX idempotent_answers_expires ON idempotent_answers (expires_at);
