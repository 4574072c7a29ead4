-- Money that goes back: refunds, disputes, and what each takes from the parts of an order's lines.

CREATE TABLE refund (
    tenant_id BYTEA NOT NULL,
    refund_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    payment_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    provider_refund_id TEXT,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    source TEXT NOT NULL,
    asked_by BYTEA,
    keeps_license BIGINT NOT NULL,
    failure_code TEXT,
    ledger_transaction_id BYTEA,
    requested_at BIGINT NOT NULL,
    settled_at BIGINT,
    PRIMARY KEY (tenant_id, refund_id),
    UNIQUE (tenant_id, provider, provider_refund_id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id)
);

CREATE INDEX refund_order ON refund (tenant_id, order_id, refund_id);

-- A bank's question about a payment: never a state of the order.
CREATE TABLE dispute (
    tenant_id BYTEA NOT NULL,
    dispute_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    payment_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    provider_dispute_id TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    rounds BIGINT NOT NULL,
    told_at BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    PRIMARY KEY (tenant_id, dispute_id),
    UNIQUE (tenant_id, provider, provider_dispute_id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id)
);

CREATE INDEX dispute_order ON dispute (tenant_id, order_id, dispute_id);

-- What one refund or dispute (the cause) takes from the parts of one line. What is undone counts
-- no more; what is reserved or taken adds up to at most what was sold.
CREATE TABLE line_reversal (
    tenant_id BYTEA NOT NULL,
    cause TEXT NOT NULL,
    order_line_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    currency TEXT NOT NULL,
    tax_minor BIGINT NOT NULL,
    platform_fee_minor BIGINT NOT NULL,
    payment_fee_minor BIGINT NOT NULL,
    affiliate_minor BIGINT NOT NULL,
    seller_minor BIGINT NOT NULL,
    fee_returned BIGINT NOT NULL,
    from_held_minor BIGINT NOT NULL,
    cost_minor BIGINT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (tenant_id, cause, order_line_id),
    FOREIGN KEY (tenant_id, order_line_id) REFERENCES order_line (tenant_id, order_line_id)
);

CREATE INDEX line_reversal_order ON line_reversal (tenant_id, order_id, order_line_id);

-- Why a license doesn't work, when it was money and not its seller: 'refund', 'dispute',
-- 'chargeback'. What money took, money gives back; what a seller withdrew stays withdrawn.
ALTER TABLE license ADD COLUMN revoked_for TEXT;

-- A provider's event may speak of a refund, a dispute or a payout besides its payment.
ALTER TABLE payment_event ADD COLUMN object TEXT;
ALTER TABLE payment_event ADD COLUMN object_reference TEXT;

-- The embedded provider: which card paid, what came of it later, and how it tells the shop.
ALTER TABLE sandbox_session ADD COLUMN card TEXT NOT NULL DEFAULT '';

CREATE TABLE sandbox_object (
    tenant_id BYTEA NOT NULL,
    object TEXT NOT NULL,
    kind TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    session TEXT,
    reference TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    failure_code TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, object),
    UNIQUE (tenant_id, kind, idempotency_key)
);

CREATE INDEX sandbox_object_session ON sandbox_object (tenant_id, session, created_at);

CREATE TABLE sandbox_notice (
    tenant_id BYTEA NOT NULL,
    event TEXT NOT NULL,
    object TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, event),
    FOREIGN KEY (tenant_id, object) REFERENCES sandbox_object (tenant_id, object)
);

-- How webhooks leave, and those that wait until somebody lets them go.
CREATE TABLE sandbox_delivery (
    tenant_id BYTEA NOT NULL,
    mode TEXT NOT NULL,
    PRIMARY KEY (tenant_id)
);

CREATE TABLE sandbox_held (
    tenant_id BYTEA NOT NULL,
    event TEXT NOT NULL,
    place BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, event)
);
