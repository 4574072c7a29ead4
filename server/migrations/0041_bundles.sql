-- Products that a seller sells together at one price, and the lines of orders that came of them.

CREATE TABLE bundle (
    tenant_id BYTEA NOT NULL,
    bundle_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    summary TEXT NOT NULL,
    withdrawn_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, bundle_id),
    UNIQUE (tenant_id, slug)
);

CREATE INDEX bundle_seller ON bundle (tenant_id, seller_id, bundle_id);

CREATE TABLE bundle_item (
    tenant_id BYTEA NOT NULL,
    bundle_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, bundle_id, product_id),
    FOREIGN KEY (tenant_id, bundle_id) REFERENCES bundle (tenant_id, bundle_id)
);

CREATE INDEX bundle_item_product ON bundle_item (tenant_id, product_id);

-- What a bundle costs in a currency. Its id stands where that of a product's price does: in carts,
-- quotes and checkouts. It stays when the amount changes; orders keep the amounts of their lines.
CREATE TABLE bundle_price (
    tenant_id BYTEA NOT NULL,
    price_id BYTEA NOT NULL,
    bundle_id BYTEA NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, price_id),
    UNIQUE (tenant_id, bundle_id, currency),
    FOREIGN KEY (tenant_id, bundle_id) REFERENCES bundle (tenant_id, bundle_id)
);

-- Which bundle a line was sold in, and how that was called then.
ALTER TABLE order_line ADD COLUMN bundle_id BYTEA;
ALTER TABLE order_line ADD COLUMN bundle_title TEXT;
