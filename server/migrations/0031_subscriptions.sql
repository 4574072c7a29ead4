-- What somebody pays for again and again, the bills it makes, and trials, of which each account
-- has one for a product.

CREATE TABLE subscription (
    tenant_id BYTEA NOT NULL,
    subscription_id BYTEA NOT NULL,
    account_id BYTEA,
    order_id BYTEA,
    license_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    price_id BYTEA NOT NULL,
    status TEXT NOT NULL,
    currency TEXT NOT NULL,
    unit_minor BIGINT NOT NULL,
    seats BIGINT NOT NULL,
    cycle_unit TEXT NOT NULL,
    cycle_count BIGINT NOT NULL,
    zone TEXT NOT NULL,
    anchor_at BIGINT NOT NULL,
    period BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    cancel_wished_at BIGINT,
    pause_wished_at BIGINT,
    pending TEXT,
    notice_minor BIGINT,
    notice_from BIGINT,
    traffic TEXT NOT NULL,
    platform_bps BIGINT NOT NULL,
    payment_bps BIGINT NOT NULL,
    payment_fixed_minor BIGINT NOT NULL,
    provider TEXT NOT NULL,
    method TEXT,
    failures BIGINT NOT NULL,
    next_attempt_at BIGINT,
    past_due_at BIGINT,
    grace_days BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subscription_id),
    UNIQUE (tenant_id, license_id)
);

CREATE INDEX subscription_account ON subscription (tenant_id, account_id, subscription_id);
CREATE INDEX subscription_product ON subscription (tenant_id, product_id, subscription_id);

-- What an order of a subscription pays for; the first one is an ordinary sale and isn't here.
CREATE TABLE subscription_bill (
    tenant_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    subscription_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    change TEXT,
    invoice_id BYTEA,
    placed_at BIGINT NOT NULL,
    settled_at BIGINT,
    PRIMARY KEY (tenant_id, order_id),
    FOREIGN KEY (tenant_id, subscription_id)
        REFERENCES subscription (tenant_id, subscription_id)
);

CREATE INDEX subscription_bill_newest
    ON subscription_bill (tenant_id, subscription_id, placed_at, order_id);

-- The fees that an order was placed with, for the subscription that comes of it.
CREATE TABLE subscription_fees (
    tenant_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    platform_bps BIGINT NOT NULL,
    payment_bps BIGINT NOT NULL,
    payment_fixed_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
);

CREATE TABLE subscription_trial_terms (
    tenant_id BYTEA NOT NULL,
    price_id BYTEA NOT NULL,
    days BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, price_id)
);

CREATE TABLE subscription_trial (
    tenant_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    subscription_id BYTEA NOT NULL,
    begun_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, account_id, product_id)
);
