-- Who is there: tenants and their hosts, people, roles and sessions.

CREATE TABLE tenant (
    tenant_id BYTEA PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- A host asked for, in lower case and without its port, and whose it is.
CREATE TABLE tenant_host (
    host TEXT PRIMARY KEY,
    tenant_id BYTEA NOT NULL REFERENCES tenant (tenant_id)
);

-- email_key is the address in lower case; password_hash is an Argon2id PHC string.
CREATE TABLE account (
    account_id BYTEA PRIMARY KEY,
    tenant_id BYTEA NOT NULL REFERENCES tenant (tenant_id),
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT,
    UNIQUE (tenant_id, email_key)
);

-- Every account is a customer; these are the roles beyond that.
CREATE TABLE account_role (
    tenant_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL REFERENCES account (account_id),
    role TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, account_id, role)
);

-- token_hash is a keyed hash of the cookie's token, which is stored nowhere.
CREATE TABLE session (
    session_id BYTEA PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL REFERENCES account (account_id),
    token_hash BYTEA NOT NULL,
    user_agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    idle_ms BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    UNIQUE (tenant_id, token_hash)
);
CREATE INDEX session_by_account ON session (tenant_id, account_id, last_used_at);

-- One-time links, such as that which makes the first administrator.
CREATE TABLE one_time_link (
    tenant_id BYTEA NOT NULL,
    token_hash BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant_id, token_hash)
);
