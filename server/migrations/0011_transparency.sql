-- The log of issued licenses, one for each tenant: rows are added, and nothing of the tree changes.

-- What signs a log's heads; its seed is sealed.
CREATE TABLE log_key (
    tenant_id BYTEA NOT NULL,
    key_id BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    seed_sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
);

-- A leaf. It waits for its places, in the log and among its seller's leaves, while they are null.
CREATE TABLE log_leaf (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    document_hash BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    product_code TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    appended_at BIGINT NOT NULL,
    leaf_index BIGINT,
    part_index BIGINT,
    PRIMARY KEY (tenant_id, license_id, document_hash),
    UNIQUE (tenant_id, leaf_index),
    UNIQUE (tenant_id, seller_id, part_index)
);

CREATE INDEX log_leaf_waiting ON log_leaf (tenant_id, appended_at, license_id)
    WHERE leaf_index IS NULL;

-- Complete subtrees, leaves at level 0.
CREATE TABLE log_node (
    tenant_id BYTEA NOT NULL,
    level BIGINT NOT NULL,
    position BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, level, position)
);

-- The right edge of the tree of one seller's leaves: 32 bytes for each complete subtree.
CREATE TABLE log_part (
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    size BIGINT NOT NULL,
    peaks BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, seller_id)
);

-- Every head that was ever signed.
CREATE TABLE log_head (
    tenant_id BYTEA NOT NULL,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    document BYTEA NOT NULL,
    signed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, size)
);
