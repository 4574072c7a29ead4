-- The platform's share by rules with dates, what each sold line was agreed at, what providers
-- really took for payments and disputes, and what the owner decided about disputes.

-- A rule is never changed: a newer one of the same subject takes its place from its own date on.
-- One without shares ends the subject's own rule.
CREATE TABLE fee_rule (
    tenant_id BYTEA NOT NULL,
    fee_rule_id BYTEA NOT NULL,
    scope TEXT NOT NULL,
    subject TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    seller_bps BIGINT,
    marketplace_bps BIGINT,
    default_bps BIGINT,
    reason TEXT NOT NULL,
    set_by BYTEA,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, fee_rule_id)
);

CREATE INDEX fee_rule_subject ON fee_rule (tenant_id, scope, subject, from_at, fee_rule_id);

-- The share that a line was sold at, with the rule that it came from.
CREATE TABLE order_line_fee (
    tenant_id BYTEA NOT NULL,
    order_line_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    traffic TEXT NOT NULL,
    platform_bps BIGINT NOT NULL,
    scope TEXT NOT NULL,
    subject TEXT NOT NULL,
    fee_rule_id BYTEA,
    why TEXT NOT NULL,
    PRIMARY KEY (tenant_id, order_line_id),
    FOREIGN KEY (tenant_id, order_line_id) REFERENCES order_line (tenant_id, order_line_id)
);

CREATE INDEX order_line_fee_order ON order_line_fee (tenant_id, order_id, product_id);

-- What a provider takes for a chargeback, a row a change.
CREATE TABLE dispute_fee (
    tenant_id BYTEA NOT NULL,
    fee_rule_id BYTEA NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    reason TEXT NOT NULL,
    set_by BYTEA,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, fee_rule_id)
);

CREATE INDEX dispute_fee_currency ON dispute_fee (tenant_id, currency, fee_rule_id);

-- What the provider says that it took for the payment an event speaks of.
ALTER TABLE payment_event ADD COLUMN fee_minor BIGINT;
ALTER TABLE payment_event ADD COLUMN fee_currency TEXT;

-- What the owner decided about a dispute while it stood where it stood.
CREATE TABLE dispute_decision (
    tenant_id BYTEA NOT NULL,
    dispute_id BYTEA NOT NULL,
    state TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL,
    decided_by BYTEA,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, dispute_id, state),
    FOREIGN KEY (tenant_id, dispute_id) REFERENCES dispute (tenant_id, dispute_id)
);
