-- What buyers withdrew from within the days that the law gives them: a row a line, with the refund
-- that answers it. A line whose refund failed can be withdrawn from again.

CREATE TABLE withdrawal (
    tenant_id BYTEA NOT NULL,
    order_line_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    refund_id BYTEA NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    declared_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, order_line_id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id),
    FOREIGN KEY (tenant_id, refund_id) REFERENCES refund (tenant_id, refund_id)
);

CREATE INDEX withdrawal_order ON withdrawal (tenant_id, order_id, order_line_id);
