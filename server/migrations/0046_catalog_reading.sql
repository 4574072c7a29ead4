-- How many listed products a category has of each kind and price band, so that a front page and
-- the facets of a list read a few rows instead of all placements; and the order of a list that is
-- narrowed to one kind.

CREATE TABLE placement_count (
    tenant_id BYTEA NOT NULL,
    category_id BYTEA NOT NULL REFERENCES category (category_id),
    kind TEXT NOT NULL,
    price_band BIGINT NOT NULL,
    products BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, category_id, kind, price_band)
);

INSERT INTO placement_count (tenant_id, category_id, kind, price_band, products)
SELECT tenant_id, category_id, kind, price_band, COUNT(*) FROM placement
WHERE listed = 1 GROUP BY tenant_id, category_id, kind, price_band;

CREATE INDEX placement_kind_name
    ON placement (tenant_id, category_id, listed, kind, name_key, product_id, price_band);
CREATE INDEX placement_kind_newest
    ON placement (tenant_id, category_id, listed, kind, published_at, product_id, price_band);

-- What the search reads of a published product that has the words, by the number under which the
-- word index knows it: found words are looked up one by one, thousands for a usual word.
CREATE TABLE search_row (
    doc_id BIGINT NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL REFERENCES product (product_id),
    category_id BYTEA NOT NULL REFERENCES category (category_id),
    kind TEXT NOT NULL,
    price_band BIGINT NOT NULL,
    name_key TEXT NOT NULL
);

INSERT INTO search_row
    (doc_id, tenant_id, product_id, category_id, kind, price_band, name_key)
SELECT l.doc_id, l.tenant_id, l.product_id, l.category_id, l.kind, l.price_band, l.name_key
FROM placement l JOIN product p ON p.product_id = l.product_id AND p.category_id = l.category_id
WHERE l.listed = 1;
