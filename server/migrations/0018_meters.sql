-- Meters, the events that they count, and the roll-ups that answer questions.

-- What a seller measures. `live` is null once the meter was deleted, so that its slug is free.
CREATE TABLE usage_meter (
    meter_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    slug TEXT NOT NULL,
    live BIGINT,
    definition TEXT NOT NULL,
    group_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    UNIQUE (tenant_id, seller_id, slug, live)
);

-- Every event, once, for ever; its time is no part of its key. A seller belongs to one tenant.
CREATE TABLE usage_event (
    seller_id BYTEA NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    subject TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    ingested_at BIGINT NOT NULL,
    data TEXT NOT NULL,
    problem TEXT,
    reverses TEXT,
    reversed_by TEXT,
    PRIMARY KEY (seller_id, source, event_id)
);

CREATE INDEX usage_event_time ON usage_event (seller_id, occurred_at);

-- A subject with the values of a meter's properties.
CREATE TABLE usage_group (
    meter_id BYTEA NOT NULL REFERENCES usage_meter (meter_id),
    group_key BYTEA NOT NULL,
    subject TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    PRIMARY KEY (meter_id, group_key)
);

CREATE INDEX usage_group_subject ON usage_group (meter_id, subject);

-- What the events of a group come to in a minute (0), an hour (1) and a day (2) of UTC.
CREATE TABLE usage_rollup (
    meter_id BYTEA NOT NULL,
    grain BIGINT NOT NULL,
    group_key BYTEA NOT NULL,
    bucket_at BIGINT NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (meter_id, grain, group_key, bucket_at)
);

CREATE INDEX usage_rollup_time ON usage_rollup (meter_id, grain, bucket_at);

-- What a license came to by a meter that is billed, with its fractions.
CREATE TABLE usage_license_sum (
    meter_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    total TEXT NOT NULL,
    PRIMARY KEY (meter_id, license_id)
);

-- Tokens by which a seller's programs call. Only a keyed hash is kept.
CREATE TABLE seller_token (
    token_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    name TEXT NOT NULL,
    token_mac BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    UNIQUE (tenant_id, token_mac)
);

CREATE INDEX seller_token_seller ON seller_token (tenant_id, seller_id, token_id);
