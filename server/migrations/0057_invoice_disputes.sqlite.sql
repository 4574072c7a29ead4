-- A bank asks about what was paid: an order, or an invoice of usage. SQLite drops no NOT NULL: the table
-- is written anew, with those that refer to it.

CREATE TABLE dispute_after (
    tenant_id BYTEA NOT NULL,
    dispute_id BYTEA NOT NULL,
    order_id BYTEA,
    invoice_id BYTEA,
    payment_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    provider_dispute_id TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    rounds BIGINT NOT NULL,
    evidence_due_at BIGINT,
    told_at BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    PRIMARY KEY (tenant_id, dispute_id),
    UNIQUE (tenant_id, provider, provider_dispute_id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id),
    FOREIGN KEY (invoice_id) REFERENCES invoice (invoice_id),
    CHECK ((order_id IS NULL) <> (invoice_id IS NULL))
);

INSERT INTO dispute_after (tenant_id, dispute_id, order_id, payment_id, provider, provider_dispute_id, amount_minor,
    currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at)
SELECT tenant_id, dispute_id, order_id, payment_id, provider, provider_dispute_id, amount_minor,
    currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at
FROM dispute;

CREATE TABLE dispute_decision_after (
    tenant_id BYTEA NOT NULL,
    dispute_id BYTEA NOT NULL,
    state TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL,
    decided_by BYTEA,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, dispute_id, state),
    FOREIGN KEY (tenant_id, dispute_id) REFERENCES dispute_after (tenant_id, dispute_id)
);

INSERT INTO dispute_decision_after (tenant_id, dispute_id, state, decision, reason, decided_by, decided_at)
SELECT tenant_id, dispute_id, state, decision, reason, decided_by, decided_at
FROM dispute_decision;

CREATE TABLE dispute_answer_after (
    tenant_id BYTEA NOT NULL,
    dispute_id BYTEA NOT NULL,
    stage TEXT NOT NULL,
    state TEXT NOT NULL,
    product_description TEXT NOT NULL,
    refund_policy TEXT NOT NULL,
    customer_communication TEXT NOT NULL,
    statement TEXT NOT NULL,
    gathered TEXT NOT NULL,
    by_default BIGINT NOT NULL,
    answered_by BYTEA,
    failure_code TEXT,
    opened_at BIGINT NOT NULL,
    answered_at BIGINT,
    settled_at BIGINT,
    PRIMARY KEY (tenant_id, dispute_id, stage),
    FOREIGN KEY (tenant_id, dispute_id) REFERENCES dispute_after (tenant_id, dispute_id)
);

INSERT INTO dispute_answer_after (tenant_id, dispute_id, stage, state, product_description, refund_policy,
    customer_communication, statement, gathered, by_default, answered_by, failure_code, opened_at,
    answered_at, settled_at)
SELECT tenant_id, dispute_id, stage, state, product_description, refund_policy,
    customer_communication, statement, gathered, by_default, answered_by, failure_code, opened_at,
    answered_at, settled_at
FROM dispute_answer;

DROP TABLE dispute_answer;
DROP TABLE dispute_decision;
DROP TABLE dispute;
ALTER TABLE dispute_after RENAME TO dispute;
ALTER TABLE dispute_decision_after RENAME TO dispute_decision;
ALTER TABLE dispute_answer_after RENAME TO dispute_answer;

CREATE INDEX dispute_order ON dispute (tenant_id, order_id, dispute_id);
CREATE INDEX dispute_invoice ON dispute (tenant_id, invoice_id, dispute_id);
