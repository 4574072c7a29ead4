-- Papers about orders: what each line of an invoice repeats of the order's, the buyer as given, who
-- issued it, and the credit notes that take from it.

-- An order's line stands on one invoice. Amounts are of the invoice's currency; jurisdiction is
-- empty where no tax applies.
CREATE TABLE invoice_sale (
    tenant_id BYTEA NOT NULL,
    invoice_id BYTEA NOT NULL REFERENCES invoice (invoice_id),
    position BIGINT NOT NULL,
    order_line_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    title TEXT NOT NULL,
    gross_minor BIGINT NOT NULL,
    discount_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    tax_bps BIGINT NOT NULL,
    tax_jurisdiction TEXT NOT NULL,
    tax_inclusive BIGINT NOT NULL,
    tax_reason TEXT NOT NULL,
    PRIMARY KEY (tenant_id, invoice_id, position),
    UNIQUE (tenant_id, order_line_id)
);

CREATE INDEX invoice_sale_seller ON invoice_sale (tenant_id, seller_id, invoice_id);
CREATE INDEX invoice_order ON invoice (tenant_id, order_id);
CREATE INDEX invoice_customer_at ON invoice (tenant_id, customer_id, finalized_at);

-- The buyer as given: what can identify a person stands apart from the invoice's figures. Details
-- that the buyer adds later are added once.
CREATE TABLE invoice_party (
    tenant_id BYTEA NOT NULL,
    invoice_id BYTEA NOT NULL REFERENCES invoice (invoice_id),
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    address TEXT NOT NULL,
    tax_number TEXT NOT NULL,
    completed_at BIGINT,
    PRIMARY KEY (tenant_id, invoice_id)
);

-- Who issues, from when on: a paper names the issuer as it was when the paper was issued.
CREATE TABLE invoice_issuer (
    tenant_id BYTEA NOT NULL,
    from_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    tax_number TEXT NOT NULL,
    PRIMARY KEY (tenant_id, from_at)
);

-- What went back of an invoice. A correction takes a credit note back whose money came back after
-- all; nothing here is ever changed.
CREATE TABLE credit_note (
    tenant_id BYTEA NOT NULL,
    credit_note_id BYTEA NOT NULL,
    issuer_id BYTEA NOT NULL,
    series TEXT NOT NULL,
    number BIGINT NOT NULL,
    invoice_id BYTEA NOT NULL REFERENCES invoice (invoice_id),
    corrects_id BYTEA,
    cause TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    currency TEXT NOT NULL,
    total_minor BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, credit_note_id),
    UNIQUE (tenant_id, issuer_id, series, number),
    UNIQUE (tenant_id, cause, invoice_id, series),
    UNIQUE (tenant_id, corrects_id)
);

CREATE INDEX credit_note_invoice ON credit_note (tenant_id, invoice_id, credit_note_id);

CREATE TABLE credit_note_line (
    tenant_id BYTEA NOT NULL,
    credit_note_id BYTEA NOT NULL,
    position BIGINT NOT NULL,
    invoice_position BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, credit_note_id, position),
    FOREIGN KEY (tenant_id, credit_note_id) REFERENCES credit_note (tenant_id, credit_note_id)
);
