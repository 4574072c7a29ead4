-- What a period came to line by line, what was promised for it and what was paid before.

-- The least a period comes to; what may be open before a bill is made early. Zero is none.
ALTER TABLE metered_plan ADD COLUMN commitment_minor BIGINT NOT NULL DEFAULT 0;
ALTER TABLE metered_plan ADD COLUMN threshold_minor BIGINT NOT NULL DEFAULT 0;

-- 10⁻⁹ units that credits covered in the running period, as a decimal text.
ALTER TABLE metered_plan_meter ADD COLUMN prepaid TEXT NOT NULL DEFAULT '0';

-- Of a meter priced by dimension: units counted before the running period, by the tariff's row.
CREATE TABLE metered_plan_row (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL REFERENCES metered_plan (license_id),
    meter TEXT NOT NULL,
    dimension TEXT NOT NULL,
    settled_units BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, meter, dimension)
);

-- What new plans of a product begin with.
CREATE TABLE metered_terms (
    tenant_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    currency TEXT NOT NULL,
    commitment_minor BIGINT NOT NULL,
    threshold_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, product_id)
);

-- One row a line of a bill, written once, in the commit of the bill. Amounts of one bill add up to
-- what was asked; a bill without an invoice asked for nothing, or credits paid it.
CREATE TABLE rated_line (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL REFERENCES metered_plan (license_id),
    period BIGINT NOT NULL,
    bill BIGINT NOT NULL,
    position BIGINT NOT NULL,
    meter TEXT,
    dimension TEXT,
    kind TEXT NOT NULL,
    quantity TEXT NOT NULL,
    free_units BIGINT NOT NULL,
    unit_price_nanos BIGINT,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    tariff TEXT,
    explanation TEXT NOT NULL,
    rated_at BIGINT NOT NULL,
    invoice_id BYTEA,
    PRIMARY KEY (tenant_id, license_id, period, bill, position)
);

-- Prepaid units of a meter (a decimal text, no currency), or money (minor units, no meter).
CREATE TABLE usage_credit (
    credit_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL REFERENCES metered_plan (license_id),
    meter TEXT,
    currency TEXT,
    granted TEXT NOT NULL,
    remaining TEXT NOT NULL,
    spent_at BIGINT,
    priority BIGINT NOT NULL,
    expires_at BIGINT,
    note TEXT NOT NULL,
    granted_by BYTEA,
    created_at BIGINT NOT NULL
);

CREATE INDEX usage_credit_license ON usage_credit (tenant_id, license_id, spent_at, credit_id);

-- What each bill took of each credit.
CREATE TABLE usage_credit_burn (
    tenant_id BYTEA NOT NULL,
    credit_id BYTEA NOT NULL REFERENCES usage_credit (credit_id),
    period BIGINT NOT NULL,
    bill BIGINT NOT NULL,
    taken TEXT NOT NULL,
    burned_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, credit_id, period, bill)
);
