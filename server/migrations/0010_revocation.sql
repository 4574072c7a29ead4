-- Places of licenses in revocation lists, which key signed what, and the key sets of sellers.

-- A license of before there were lists has no place; it can't be withdrawn offline.
ALTER TABLE license ADD COLUMN list BIGINT;
ALTER TABLE license ADD COLUMN list_index BIGINT;
CREATE UNIQUE INDEX license_place ON license (tenant_id, product_id, list, list_index);

-- The bits as devices see them, the lowest first; the document is signed on demand and kept.
CREATE TABLE revocation_list (
    tenant_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    list BIGINT NOT NULL,
    places BIGINT NOT NULL,
    version BIGINT NOT NULL,
    bits BYTEA NOT NULL,
    document BYTEA,
    signed_at BIGINT,
    PRIMARY KEY (tenant_id, product_id, list)
);

-- The product key that signed a document; until now each product had one.
ALTER TABLE license ADD COLUMN key_id BYTEA;
ALTER TABLE license ADD COLUMN signed_again_at BIGINT;
ALTER TABLE activation ADD COLUMN key_id BYTEA;
UPDATE license SET key_id = (
    SELECT k.key_id FROM seller_key k
    WHERE k.tenant_id = license.tenant_id AND k.seller_id = license.seller_id
        AND k.purpose = 'product' AND k.audience = license.product_code);
UPDATE activation SET key_id = (
    SELECT l.key_id FROM license l
    WHERE l.tenant_id = activation.tenant_id AND l.license_id = activation.license_id);
CREATE INDEX license_signer ON license (tenant_id, key_id, license_id);
CREATE INDEX license_signed_again ON license (tenant_id, seller_id, signed_again_at);

-- A key without a certificate waits for one; a revoked one signs no more. A seed of no bytes was
-- forgotten.
ALTER TABLE seller_key ADD COLUMN revoked_at BIGINT;
ALTER TABLE seller_key ADD COLUMN revoked_from BIGINT;
ALTER TABLE seller_key ADD COLUMN revoke_reason TEXT;
ALTER TABLE seller_key ADD COLUMN forgotten_at BIGINT;

-- Each says everything; nothing is ever changed in one.
CREATE TABLE key_set (
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    document BYTEA NOT NULL,
    origin TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, seller_id, version)
);

-- Secrets of the house itself, sealed under the key-encryption key.
CREATE TABLE house_secret (
    name TEXT NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL
);
