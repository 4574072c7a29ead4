-- Sellers, the category tree, products with their prices and meters, and import runs.

CREATE TABLE seller (
    account_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    about TEXT NOT NULL,
    origin_key BYTEA,
    claimed_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (tenant_id, slug),
    UNIQUE (tenant_id, origin_key)
);

CREATE TABLE category (
    category_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    parent_id BYTEA,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    depth BIGINT NOT NULL,
    product_count BIGINT NOT NULL,
    UNIQUE (tenant_id, path)
);

CREATE INDEX category_parent ON category (tenant_id, parent_id);

CREATE TABLE product (
    product_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL REFERENCES seller (account_id),
    doc_id BIGINT NOT NULL,
    slug TEXT NOT NULL,
    code TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    summary TEXT NOT NULL,
    description TEXT NOT NULL,
    language TEXT NOT NULL,
    version TEXT NOT NULL,
    homepage TEXT,
    spdx TEXT,
    terms TEXT NOT NULL,
    category_id BYTEA NOT NULL REFERENCES category (category_id),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    published_at BIGINT,
    archived_at BIGINT,
    UNIQUE (tenant_id, slug),
    UNIQUE (tenant_id, code),
    UNIQUE (doc_id)
);

CREATE INDEX product_seller ON product (tenant_id, seller_id, product_id);

CREATE TABLE price (
    price_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL REFERENCES product (product_id),
    position BIGINT NOT NULL,
    model TEXT NOT NULL,
    period TEXT,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    archived_at BIGINT
);

CREATE INDEX price_product ON price (tenant_id, product_id, position);

CREATE TABLE meter (
    meter_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL REFERENCES product (product_id),
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    aggregation TEXT NOT NULL,
    tariff TEXT,
    archived_at BIGINT,
    UNIQUE (tenant_id, product_id, name)
);

-- A product in a category and in every category above it; the columns beside the ids repeat the
-- product's, so that a page of a category and its facets read one index.
CREATE TABLE placement (
    tenant_id BYTEA NOT NULL,
    category_id BYTEA NOT NULL REFERENCES category (category_id),
    doc_id BIGINT NOT NULL,
    product_id BYTEA NOT NULL REFERENCES product (product_id),
    chosen BIGINT NOT NULL,
    listed BIGINT NOT NULL,
    kind TEXT NOT NULL,
    price_band BIGINT NOT NULL,
    name_key TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, category_id, doc_id)
);

CREATE INDEX placement_product ON placement (tenant_id, product_id);
CREATE INDEX placement_name
    ON placement (tenant_id, category_id, listed, name_key, product_id, kind, price_band);
CREATE INDEX placement_newest
    ON placement (tenant_id, category_id, listed, published_at, product_id, kind, price_band);

CREATE TABLE import_run (
    import_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    position BIGINT NOT NULL,
    prefix_hash BYTEA NOT NULL,
    created_count BIGINT NOT NULL,
    updated_count BIGINT NOT NULL,
    unchanged_count BIGINT NOT NULL,
    refused_count BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX import_run_source ON import_run (tenant_id, source, started_at);

CREATE TABLE import_item (
    tenant_id BYTEA NOT NULL,
    origin TEXT NOT NULL,
    product_id BYTEA NOT NULL REFERENCES product (product_id),
    content_hash BYTEA NOT NULL,
    import_id BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, origin)
);

CREATE TABLE import_refusal (
    import_id BYTEA NOT NULL,
    line BIGINT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (import_id, line)
);
