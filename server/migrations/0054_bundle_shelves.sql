-- Bundles as lists and the search read them: rows of those that can be bought now, and of no others.

CREATE TABLE bundle_card (
    tenant_id BYTEA NOT NULL,
    bundle_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    summary TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    more_prices BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, bundle_id)
);

-- In every category that one of its products stands in, and in those above.
CREATE TABLE bundle_shelf (
    tenant_id BYTEA NOT NULL,
    category_id BYTEA NOT NULL,
    bundle_id BYTEA NOT NULL,
    price_band BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, category_id, bundle_id)
);
CREATE INDEX bundle_shelf_bundle ON bundle_shelf (tenant_id, bundle_id);

-- Under every word of its name, its sentence and the names of its products.
CREATE TABLE bundle_word (
    tenant_id BYTEA NOT NULL,
    word TEXT NOT NULL,
    bundle_id BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, word, bundle_id)
);
CREATE INDEX bundle_word_bundle ON bundle_word (tenant_id, bundle_id);

-- A job a tenant puts the bundles there that were made before.
INSERT INTO job (job_id, tenant_id, kind, payload, dedupe, state, run_at, attempts, created_at)
SELECT b.bundle_id, b.tenant_id, 'bundles.shelve_all', '{}', NULL, 'waiting', 0, 0, 0
FROM bundle b WHERE NOT EXISTS (SELECT 1 FROM bundle o
    WHERE o.tenant_id = b.tenant_id AND o.bundle_id < b.bundle_id);
