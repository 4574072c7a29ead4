-- How often a customer hears of their usage by mail, and when next.
CREATE TABLE usage_report (
    tenant_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL,
    cadence TEXT NOT NULL,
    anchor_at BIGINT NOT NULL,
    next_at BIGINT,
    PRIMARY KEY (tenant_id, account_id)
);
