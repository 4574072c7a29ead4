-- People who bring buyers: a seller's programme, who joined it, clicks on their links, and what each
-- attributed sale earned them.

-- In which account a hold's amount lies until it is released: a seller's or an affiliate's.
ALTER TABLE ledger_escrow ADD COLUMN kind TEXT NOT NULL DEFAULT 'seller_held';

CREATE TABLE affiliate_programme (
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    is_open BIGINT NOT NULL,
    rate_bps BIGINT NOT NULL,
    window_days BIGINT NOT NULL,
    -- NULL for as long as the subscription lasts; 0 for its first payment alone.
    renewal_months BIGINT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, seller_id)
);

CREATE INDEX affiliate_programme_open ON affiliate_programme (tenant_id, is_open, seller_id);

-- Another rate for one product; 0 takes it out of the programme.
CREATE TABLE affiliate_rate (
    tenant_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    rate_bps BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, product_id)
);

CREATE INDEX affiliate_rate_seller ON affiliate_rate (tenant_id, seller_id);

CREATE TABLE affiliation (
    tenant_id BYTEA NOT NULL,
    affiliation_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    affiliate_id BYTEA NOT NULL,
    code TEXT NOT NULL,
    standing TEXT NOT NULL,
    coupon_id BYTEA,
    clicks BIGINT NOT NULL,
    joined_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, affiliation_id),
    UNIQUE (tenant_id, code),
    UNIQUE (tenant_id, seller_id, affiliate_id),
    UNIQUE (tenant_id, coupon_id)
);

CREATE INDEX affiliation_affiliate ON affiliation (tenant_id, affiliate_id, affiliation_id);

-- A visitor is known by a keyed hash of the network address and the day, for the day alone.
CREATE TABLE affiliate_click (
    tenant_id BYTEA NOT NULL,
    click_id BYTEA NOT NULL,
    affiliation_id BYTEA NOT NULL,
    visitor_hash BYTEA NOT NULL,
    clicked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, click_id)
);

CREATE UNIQUE INDEX affiliate_click_visitor
    ON affiliate_click (tenant_id, affiliation_id, visitor_hash);
CREATE INDEX affiliate_click_expiry ON affiliate_click (tenant_id, expires_at);

-- One line of an order that somebody brought, or would have: a refusal is kept with its reason.
CREATE TABLE affiliate_referral (
    tenant_id BYTEA NOT NULL,
    order_line_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    affiliation_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    affiliate_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    via TEXT NOT NULL,
    click_id BYTEA,
    rate_bps BIGINT NOT NULL,
    renewal_months BIGINT,
    commission_minor BIGINT NOT NULL,
    reversed_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    refusal TEXT,
    placed_at BIGINT NOT NULL,
    credited_at BIGINT,
    PRIMARY KEY (tenant_id, order_line_id)
);

CREATE INDEX affiliate_referral_order ON affiliate_referral (tenant_id, order_id, product_id);
CREATE INDEX affiliate_referral_affiliate
    ON affiliate_referral (tenant_id, affiliate_id, order_line_id);
CREATE INDEX affiliate_referral_seller ON affiliate_referral (tenant_id, seller_id, order_line_id);

-- What a refund or a bank took of a commission, and how much of it came out of its hold.
CREATE TABLE affiliate_taking (
    tenant_id BYTEA NOT NULL,
    cause TEXT NOT NULL,
    order_line_id BYTEA NOT NULL,
    amount_minor BIGINT NOT NULL,
    from_held_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    is_undone BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, cause, order_line_id)
);
