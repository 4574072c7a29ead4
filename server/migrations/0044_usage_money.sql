-- Money of usage invoices that goes back, plans of usage that end, and invoices that are called off.

-- A refund of an invoice's payment, with what it takes from each part of the invoice: an invoice of
-- usage has one earner, and no lines of an order.
CREATE TABLE invoice_refund (
    tenant_id BYTEA NOT NULL,
    refund_id BYTEA NOT NULL,
    invoice_id BYTEA NOT NULL,
    payment_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    provider_refund_id TEXT,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    tax_minor BIGINT NOT NULL,
    platform_fee_minor BIGINT NOT NULL,
    payment_fee_minor BIGINT NOT NULL,
    seller_minor BIGINT NOT NULL,
    fee_returned BIGINT NOT NULL,
    from_held_minor BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    source TEXT NOT NULL,
    asked_by BYTEA,
    failure_code TEXT,
    requested_at BIGINT NOT NULL,
    settled_at BIGINT,
    PRIMARY KEY (tenant_id, refund_id),
    UNIQUE (tenant_id, provider, provider_refund_id),
    FOREIGN KEY (invoice_id) REFERENCES invoice (invoice_id)
);

CREATE INDEX invoice_refund_invoice ON invoice_refund (tenant_id, invoice_id, refund_id);

-- Since when nothing is billed any more: the money of what is used went back.
ALTER TABLE metered_plan ADD COLUMN ended_at BIGINT;
