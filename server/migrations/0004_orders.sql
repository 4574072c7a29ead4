-- Orders and the payments that settle them. What can identify a person stands apart in
-- order_contact, which can be erased; orders themselves are never deleted.

CREATE TABLE customer_order (
    tenant_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    account_id BYTEA,
    state TEXT NOT NULL,
    currency TEXT NOT NULL,
    total_minor BIGINT NOT NULL,
    traffic TEXT NOT NULL,
    access_hash BYTEA NOT NULL,
    placed_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    paid_at BIGINT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
);

CREATE INDEX customer_order_account ON customer_order (tenant_id, account_id, order_id);

CREATE TABLE order_contact (
    tenant_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    email TEXT NOT NULL,
    PRIMARY KEY (tenant_id, order_id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id)
);

-- A line repeats what was offered and how its money is divided, so that it never changes when the
-- product does.
CREATE TABLE order_line (
    tenant_id BYTEA NOT NULL,
    order_line_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    position BIGINT NOT NULL,
    product_id BYTEA NOT NULL,
    price_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    seller_of_record TEXT NOT NULL,
    title TEXT NOT NULL,
    product_code TEXT NOT NULL,
    product_slug TEXT NOT NULL,
    product_kind TEXT NOT NULL,
    price_model TEXT NOT NULL,
    price_period TEXT,
    quantity BIGINT NOT NULL,
    currency TEXT NOT NULL,
    unit_minor BIGINT NOT NULL,
    gross_minor BIGINT NOT NULL,
    discount_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    tax_bps BIGINT NOT NULL,
    tax_reason TEXT NOT NULL,
    charged_minor BIGINT NOT NULL,
    platform_fee_minor BIGINT NOT NULL,
    payment_fee_minor BIGINT NOT NULL,
    affiliate_minor BIGINT NOT NULL,
    seller_net_minor BIGINT NOT NULL,
    split TEXT NOT NULL,
    terms TEXT NOT NULL,
    PRIMARY KEY (tenant_id, order_line_id),
    UNIQUE (tenant_id, order_id, position),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id)
);

CREATE INDEX order_line_seller ON order_line (tenant_id, seller_id, order_line_id);

-- One attempt to be paid for a payable: payments know it only as an opaque text.
CREATE TABLE payment (
    tenant_id BYTEA NOT NULL,
    payment_id BYTEA NOT NULL,
    payable TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    provider_session_id TEXT,
    page_url TEXT,
    failure_code TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payment_id),
    UNIQUE (tenant_id, payable, attempt),
    UNIQUE (tenant_id, provider, provider_session_id)
);

-- The inbox of webhooks: each event of a provider once, however often it is delivered.
CREATE TABLE payment_event (
    tenant_id BYTEA NOT NULL,
    payment_event_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    provider_event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    payment_reference TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    failure_code TEXT,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    outcome TEXT,
    settled_at BIGINT,
    PRIMARY KEY (tenant_id, payment_event_id),
    UNIQUE (tenant_id, provider, provider_event_id)
);

-- The embedded provider keeps its own state, as a provider elsewhere would.
CREATE TABLE sandbox_session (
    tenant_id BYTEA NOT NULL,
    session TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    reference TEXT NOT NULL,
    description TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    return_url TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, session),
    UNIQUE (tenant_id, idempotency_key)
);

CREATE TABLE sandbox_event (
    tenant_id BYTEA NOT NULL,
    event TEXT NOT NULL,
    session TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, event),
    FOREIGN KEY (tenant_id, session) REFERENCES sandbox_session (tenant_id, session)
);
