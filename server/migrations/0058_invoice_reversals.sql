-- What a dispute (the cause, with its round) takes from the parts of an invoice of usage, as
-- line_reversal keeps it of an order's lines.
CREATE TABLE invoice_reversal (
    tenant_id BYTEA NOT NULL,
    cause TEXT NOT NULL,
    invoice_id BYTEA NOT NULL,
    currency TEXT NOT NULL,
    tax_minor BIGINT NOT NULL,
    platform_fee_minor BIGINT NOT NULL,
    payment_fee_minor BIGINT NOT NULL,
    seller_minor BIGINT NOT NULL,
    fee_returned BIGINT NOT NULL,
    from_held_minor BIGINT NOT NULL,
    cost_minor BIGINT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (tenant_id, cause),
    FOREIGN KEY (invoice_id) REFERENCES invoice (invoice_id)
);

CREATE INDEX invoice_reversal_invoice ON invoice_reversal (tenant_id, invoice_id, cause);
