-- Methods of payment that providers keep for accounts, and those on their way to be kept.

CREATE TABLE payment_method (
    tenant_id BYTEA NOT NULL,
    method_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    -- What the provider calls it: what is charged.
    name TEXT NOT NULL,
    -- As its owner knows it, and the last month (2029-12) it can be charged in.
    label TEXT NOT NULL,
    expires TEXT,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, method_id),
    UNIQUE (tenant_id, provider, name)
);
CREATE INDEX payment_method_owner ON payment_method (tenant_id, account_id, added_at);

CREATE TABLE payment_method_setup (
    tenant_id BYTEA NOT NULL,
    setup_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    -- `open`, `kept` or `refused`.
    state TEXT NOT NULL,
    PRIMARY KEY (tenant_id, setup_id)
);

ALTER TABLE payment_event ADD COLUMN kept_name TEXT;
ALTER TABLE payment_event ADD COLUMN kept_label TEXT;
ALTER TABLE payment_event ADD COLUMN kept_expires TEXT;

CREATE INDEX automatic_payment_owner ON automatic_payment (tenant_id, account_id, license_id);
