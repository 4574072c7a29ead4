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

-- What buyers ask sellers to give back of a line. While it waits, open_line_id is its line: one a line.
CREATE TABLE refund_wish (
    tenant_id BYTEA NOT NULL,
    refund_wish_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    order_line_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    title TEXT NOT NULL,
    open_line_id BYTEA,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    words TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    appealed BIGINT NOT NULL,
    answer TEXT NOT NULL,
    answered_by TEXT,
    refund_id BYTEA,
    opened_at BIGINT NOT NULL,
    answered_at BIGINT,
    PRIMARY KEY (tenant_id, refund_wish_id),
    UNIQUE (tenant_id, open_line_id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id)
);

CREATE INDEX refund_wish_order ON refund_wish (tenant_id, order_id, refund_wish_id);
CREATE INDEX refund_wish_seller ON refund_wish (tenant_id, seller_id, refund_wish_id);
CREATE INDEX refund_wish_state ON refund_wish (tenant_id, state, refund_wish_id);
