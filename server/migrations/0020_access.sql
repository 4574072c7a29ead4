-- Customers' keys for sellers' APIs, sellers' tokens, and what backends were told they may.

-- Counters belong to the license and name the key, never its secret: rotation loses none.
CREATE TABLE api_key (
    tenant_id BYTEA NOT NULL,
    api_key_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    name TEXT NOT NULL,
    rate TEXT,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT,
    deleted_at BIGINT,
    PRIMARY KEY (tenant_id, api_key_id),
    FOREIGN KEY (tenant_id, license_id) REFERENCES license (tenant_id, license_id)
);

CREATE INDEX api_key_license ON api_key (tenant_id, license_id, api_key_id);

-- secret_mac is a keyed hash of the text, which is stored nowhere; shown is how it begins.
CREATE TABLE api_key_secret (
    tenant_id BYTEA NOT NULL,
    secret_mac BYTEA NOT NULL,
    api_key_id BYTEA NOT NULL,
    shown TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    PRIMARY KEY (tenant_id, secret_mac),
    FOREIGN KEY (tenant_id, api_key_id) REFERENCES api_key (tenant_id, api_key_id)
);

CREATE INDEX api_key_secret_key ON api_key_secret (tenant_id, api_key_id, created_at);

-- Units of the newest window that was opened, those in the hands of servers included.
CREATE TABLE quota_use (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    window_number BIGINT NOT NULL,
    units BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, meter)
);

-- Units held for work under way: free again at ends_at unless settled before.
CREATE TABLE reservation (
    tenant_id BYTEA NOT NULL,
    reservation_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    api_key_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    window_number BIGINT NOT NULL,
    units BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    settled_units BIGINT,
    PRIMARY KEY (tenant_id, reservation_id),
    FOREIGN KEY (tenant_id, api_key_id) REFERENCES api_key (tenant_id, api_key_id)
);

CREATE INDEX reservation_open ON reservation (tenant_id, license_id, meter, ends_at);
