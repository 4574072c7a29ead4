-- Invoices with gapless numbers, the metered plans they are made from, and mail that was sent.

CREATE TABLE invoice_series (
    tenant_id BYTEA NOT NULL,
    issuer_id BYTEA NOT NULL,
    series TEXT NOT NULL,
    last_number BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, issuer_id, series)
);

CREATE TABLE invoice (
    invoice_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    issuer_id BYTEA NOT NULL,
    series TEXT NOT NULL,
    number BIGINT NOT NULL,
    source TEXT NOT NULL,
    customer_id BYTEA,
    order_id BYTEA,
    seller_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    license_id BYTEA,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    currency TEXT NOT NULL,
    total_minor BIGINT NOT NULL,
    state TEXT NOT NULL,
    finalized_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    paid_at BIGINT,
    payment_id BYTEA,
    UNIQUE (tenant_id, issuer_id, series, number),
    UNIQUE (tenant_id, source)
);

CREATE INDEX invoice_customer ON invoice (tenant_id, customer_id, invoice_id);
CREATE INDEX invoice_seller ON invoice (tenant_id, seller_id, invoice_id);
CREATE INDEX invoice_license ON invoice (tenant_id, license_id, invoice_id);

CREATE TABLE invoice_line (
    invoice_line_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    invoice_id BYTEA NOT NULL REFERENCES invoice (invoice_id),
    position BIGINT NOT NULL,
    kind TEXT NOT NULL,
    meter TEXT,
    quantity BIGINT NOT NULL,
    free_units BIGINT NOT NULL,
    unit_price_nanos BIGINT,
    amount_minor BIGINT NOT NULL,
    tariff TEXT,
    explanation TEXT NOT NULL,
    UNIQUE (tenant_id, invoice_id, position)
);

-- What a license's usage costs from purchase on, and the period that is running. Counts before
-- the period's start are settled; what was invoiced inside it is in billed_minor of its meters.
CREATE TABLE metered_plan (
    license_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    customer_id BYTEA,
    order_id BYTEA,
    seller_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    currency TEXT NOT NULL,
    anchor_at BIGINT NOT NULL,
    period BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    interim BIGINT NOT NULL
);

CREATE INDEX metered_plan_seller ON metered_plan (tenant_id, seller_id, product_id);
CREATE INDEX metered_plan_customer ON metered_plan (tenant_id, customer_id, license_id);

CREATE TABLE metered_plan_meter (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL REFERENCES metered_plan (license_id),
    meter TEXT NOT NULL,
    unit TEXT NOT NULL,
    tariff TEXT NOT NULL,
    settled_units BIGINT NOT NULL,
    billed_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, meter)
);

-- One row a mail: a fact is told to a person once.
CREATE TABLE mail (
    tenant_id BYTEA NOT NULL,
    fact TEXT NOT NULL,
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sent_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, fact, subject)
);
