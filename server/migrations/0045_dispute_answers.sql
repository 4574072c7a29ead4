-- Until when a bank waits for an answer, and what it is answered.

ALTER TABLE payment_event ADD COLUMN evidence_due_at BIGINT;
ALTER TABLE dispute ADD COLUMN evidence_due_at BIGINT;

-- One answer for each stage that a bank asks at. What the house knew is kept when it is handed in.
CREATE TABLE dispute_answer (
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
    FOREIGN KEY (tenant_id, dispute_id) REFERENCES dispute (tenant_id, dispute_id)
);

-- The embedded provider: until when it waits, and what it was told.
ALTER TABLE sandbox_object ADD COLUMN evidence_due_at BIGINT;

CREATE TABLE sandbox_evidence (
    tenant_id BYTEA NOT NULL,
    object TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    body TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, object, idempotency_key),
    FOREIGN KEY (tenant_id, object) REFERENCES sandbox_object (tenant_id, object)
);
