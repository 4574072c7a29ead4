-- Prices that move: coupons, carts, quotes, what a buyer agreed to, and where a shop is embedded.

-- A code is unique at its seller, in capitals. Units taken are counted here, in the commit that
-- takes them; the rest of what a coupon says is its rule, as JSON.
CREATE TABLE coupon (
    tenant_id BYTEA NOT NULL,
    coupon_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    code TEXT NOT NULL,
    rule TEXT NOT NULL,
    max_units BIGINT,
    taken_units BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    disabled_at BIGINT,
    PRIMARY KEY (tenant_id, coupon_id),
    UNIQUE (tenant_id, seller_id, code)
);

CREATE INDEX coupon_code ON coupon (tenant_id, code);

-- One line of an order that a coupon made cheaper. A buyer is known by account or by a keyed hash
-- of the address; the address itself is in order_contact alone.
CREATE TABLE coupon_use (
    tenant_id BYTEA NOT NULL,
    order_line_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    coupon_id BYTEA NOT NULL,
    account_id BYTEA,
    email_hash BYTEA,
    units BIGINT NOT NULL,
    currency TEXT NOT NULL,
    off_minor BIGINT NOT NULL,
    lasts TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    freed_at BIGINT,
    PRIMARY KEY (tenant_id, order_line_id),
    FOREIGN KEY (tenant_id, coupon_id) REFERENCES coupon (tenant_id, coupon_id)
);

CREATE INDEX coupon_use_order ON coupon_use (tenant_id, order_id);
CREATE INDEX coupon_use_account ON coupon_use (tenant_id, coupon_id, account_id);
CREATE INDEX coupon_use_email ON coupon_use (tenant_id, coupon_id, email_hash);

-- One live cart an account; a guest's is known by its id alone, which a signed cookie holds.
CREATE TABLE cart (
    tenant_id BYTEA NOT NULL,
    cart_id BYTEA NOT NULL,
    account_id BYTEA,
    remind BIGINT NOT NULL,
    reminded_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, cart_id),
    UNIQUE (tenant_id, account_id)
);

CREATE TABLE cart_line (
    tenant_id BYTEA NOT NULL,
    cart_id BYTEA NOT NULL,
    price_id BYTEA NOT NULL,
    position BIGINT NOT NULL,
    quantity BIGINT NOT NULL,
    amount_minor BIGINT,
    PRIMARY KEY (tenant_id, cart_id, price_id),
    FOREIGN KEY (tenant_id, cart_id) REFERENCES cart (tenant_id, cart_id)
);

-- A quote is confirmed once: the second confirmation finds the first one's order.
CREATE TABLE quote_use (
    tenant_id BYTEA NOT NULL,
    quote_hash BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    used_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, quote_hash)
);

-- What the buyer was shown and agreed to, by the text's version and hash.
CREATE TABLE order_consent (
    tenant_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    text_hash BYTEA NOT NULL,
    agreed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, order_id, kind),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id)
);

-- Pages that may show a seller's buy button in a frame.
CREATE TABLE embed_host (
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    host TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, seller_id, host)
);

-- The least that a buyer who names the price may name; how many one order holds; the countries
-- that a price is for, joined by commas.
ALTER TABLE price ADD COLUMN minimum_minor BIGINT;
ALTER TABLE price ADD COLUMN most BIGINT;
ALTER TABLE price ADD COLUMN countries TEXT;
