-- Answers that show a secret, sealed under a key that the client holds, for who repeats a request. Without an answer the request
-- is under way, or its process died.
CREATE TABLE idempotent_answers (
    name        BLOB    NOT NULL PRIMARY KEY,
    request     BLOB    NOT NULL,
    caller      TEXT    NOT NULL,
    reserved_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    sealed      BLOB,
    CONSTRAINT idempotent_answers_name CHECK (length(name) = 32),
    CONSTRAINT idempotent_answers_request CHECK (length(request) = 32)
) STRICT;

CREATE INDEX idempotent_answers_caller ON idempotent_answers (caller);
CREATE INDEX idempotent_answers_expires ON idempotent_answers (expires_at);
