-- Tax: where the seller of record is registered, the owner's own rates, what was declared and seen
-- of where a buyer is, the snapshot of each line, and what is owed to whom.

-- No row, or no place: no tax is collected.
CREATE TABLE tax_policy (
    tenant_id BYTEA NOT NULL,
    home TEXT,
    inclusive BIGINT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
);

-- Before the compiled-in table from an instant on; without a rate, back to the table.
CREATE TABLE tax_own_rate (
    tenant_id BYTEA NOT NULL,
    place TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    bps BIGINT,
    note TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, place, from_at)
);

-- Where the buyer of an order is: as declared, as the network says, as the payment method says.
CREATE TABLE tax_evidence (
    tenant_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    place TEXT,
    vat_id TEXT,
    network_country TEXT,
    method_country TEXT,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
);

-- Where an account is, for what renews by itself and for usage.
CREATE TABLE tax_buyer (
    tenant_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL,
    place TEXT NOT NULL,
    vat_id TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, account_id)
);

-- Every sale and every way back, once, with its tax. What was undone goes back as less than
-- nothing. Months are of UTC: '2027-01'.
CREATE TABLE tax_movement (
    tenant_id BYTEA NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    month TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    why TEXT NOT NULL,
    bps BIGINT NOT NULL,
    currency TEXT NOT NULL,
    base_minor BIGINT NOT NULL,
    tax_minor BIGINT NOT NULL,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source)
);

CREATE INDEX tax_movement_month ON tax_movement (tenant_id, month);

-- The snapshot of a usage invoice.
CREATE TABLE invoice_tax (
    tenant_id BYTEA NOT NULL,
    invoice_id BYTEA NOT NULL,
    tax_code TEXT NOT NULL,
    tax_bps BIGINT NOT NULL,
    tax_jurisdiction TEXT NOT NULL,
    tax_inclusive BIGINT NOT NULL,
    tax_reason TEXT NOT NULL,
    currency TEXT NOT NULL,
    tax_base BIGINT NOT NULL,
    tax_amount BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, invoice_id),
    FOREIGN KEY (invoice_id) REFERENCES invoice (invoice_id)
);

-- The snapshot of an order line: its amount, rate and reason stand there already.
ALTER TABLE order_line ADD COLUMN tax_code TEXT NOT NULL DEFAULT 'not_registered';
ALTER TABLE order_line ADD COLUMN tax_jurisdiction TEXT NOT NULL DEFAULT '';
ALTER TABLE order_line ADD COLUMN tax_inclusive BIGINT NOT NULL DEFAULT 0;
ALTER TABLE order_line ADD COLUMN tax_base BIGINT NOT NULL DEFAULT 0;
UPDATE order_line SET tax_base = charged_minor - tax_minor;

-- Which country a payment method is of, as its provider says.
ALTER TABLE payment_event ADD COLUMN method_country TEXT;
ALTER TABLE sandbox_session ADD COLUMN card_country TEXT NOT NULL DEFAULT '';
