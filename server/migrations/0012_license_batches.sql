-- Licenses issued many at a time, and the keys that sellers gave out elsewhere before.

-- What a batch's licenses grant is written down when it begins: a product that is changed meanwhile
-- changes no half of it. `issued` and `revoked` count places from 1 and are the jobs' cursors.
CREATE TABLE license_batch (
    tenant_id BYTEA NOT NULL,
    batch_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    product_code TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL,
    terms TEXT NOT NULL,
    seats BIGINT NOT NULL,
    expires_at BIGINT,
    wanted BIGINT NOT NULL,
    issued BIGINT NOT NULL,
    revoked BIGINT NOT NULL,
    revoke_reason TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, batch_id)
);

CREATE INDEX license_batch_product ON license_batch (tenant_id, product_id, batch_id);

CREATE TABLE license_batch_item (
    tenant_id BYTEA NOT NULL,
    batch_id BYTEA NOT NULL,
    place BIGINT NOT NULL,
    license_id BYTEA NOT NULL,
    reference TEXT NOT NULL,
    PRIMARY KEY (tenant_id, batch_id, place),
    UNIQUE (tenant_id, license_id),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES license_batch (tenant_id, batch_id),
    FOREIGN KEY (tenant_id, license_id) REFERENCES license (tenant_id, license_id)
);

-- A seller's own key: a keyed hash of it with its product, and the key sealed. A weak one can be
-- guessed with patience, so that guessing meets stricter limits.
CREATE TABLE license_key (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    key_mac BYTEA NOT NULL,
    key_sealed BYTEA NOT NULL,
    weak BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id),
    UNIQUE (tenant_id, key_mac),
    FOREIGN KEY (tenant_id, license_id) REFERENCES license (tenant_id, license_id)
);

CREATE INDEX license_key_weak ON license_key (tenant_id, product_id, weak);
