-- The house's own tables: what was done, what must be done, what happened.

-- One row per command that was committed.
CREATE TABLE audit (
    audit_id BYTEA PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    account_id BYTEA,
    command TEXT NOT NULL,
    subject TEXT,
    done_at BIGINT NOT NULL
);
CREATE INDEX audit_by_time ON audit (tenant_id, done_at);

-- The outcome of a command asked for with an idempotency key.
CREATE TABLE idempotency (
    tenant_id BYTEA NOT NULL,
    caller BYTEA NOT NULL,
    command TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    outcome TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, caller, command, idempotency_key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Work to do. A finished job's row is deleted in the commit that holds its effect.
CREATE TABLE job (
    job_id BYTEA PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    dedupe TEXT,
    state TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    lease BYTEA,
    leased_until BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (tenant_id, kind, dedupe)
);
CREATE INDEX job_by_due ON job (state, run_at);
CREATE INDEX job_by_lease ON job (state, leased_until);

-- Facts, written in the same commit as what they tell of. They hold ids, never personal data.
CREATE TABLE event (
    event_id BYTEA PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    data TEXT NOT NULL,
    happened_at BIGINT NOT NULL
);
CREATE INDEX event_by_subject ON event (tenant_id, subject, happened_at);
