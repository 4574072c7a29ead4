-- Keys held for sellers, the licenses signed with them, and the devices that use those.

-- A seller's root, the product keys it certified, and the receipt key; seeds are sealed.
CREATE TABLE seller_key (
    tenant_id BYTEA NOT NULL,
    key_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    audience TEXT NOT NULL,
    version BIGINT NOT NULL,
    public_key BYTEA NOT NULL,
    seed_sealed BYTEA NOT NULL,
    certificate BYTEA,
    created_at BIGINT NOT NULL,
    exported_at BIGINT,
    PRIMARY KEY (tenant_id, key_id),
    UNIQUE (tenant_id, seller_id, purpose, audience, version)
);

CREATE TABLE license (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    source TEXT NOT NULL,
    product_id BYTEA NOT NULL,
    product_code TEXT NOT NULL,
    seller_id BYTEA NOT NULL,
    owner_id BYTEA,
    seats BIGINT NOT NULL,
    terms TEXT NOT NULL,
    document BYTEA NOT NULL,
    redeem_mac BYTEA NOT NULL,
    redeem_sealed BYTEA NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT,
    redeemed_at BIGINT,
    revoked_at BIGINT,
    revoke_reason TEXT,
    PRIMARY KEY (tenant_id, license_id),
    UNIQUE (tenant_id, source),
    UNIQUE (tenant_id, redeem_mac)
);

CREATE INDEX license_owner ON license (tenant_id, owner_id, license_id);
CREATE INDEX license_seller ON license (tenant_id, seller_id, license_id);

-- A live activation holds a seat; one that was given up holds none and stays for the record.
-- A null is never equal to another, so both keys bind live rows only.
CREATE TABLE activation (
    tenant_id BYTEA NOT NULL,
    activation_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    device_key BYTEA NOT NULL,
    seat BIGINT,
    live BIGINT,
    request_hash BYTEA NOT NULL,
    document BYTEA NOT NULL,
    activated_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    deactivated_at BIGINT,
    PRIMARY KEY (tenant_id, activation_id),
    UNIQUE (tenant_id, license_id, seat),
    UNIQUE (tenant_id, license_id, device_key, live),
    FOREIGN KEY (tenant_id, license_id) REFERENCES license (tenant_id, license_id)
);

CREATE INDEX activation_device ON activation (tenant_id, device_key);
