-- What an affiliate hasn't been told yet of what they earn; a day of it becomes one mail, and goes.
CREATE TABLE affiliate_news (
    tenant_id BYTEA NOT NULL,
    affiliate_id BYTEA NOT NULL,
    order_line_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    PRIMARY KEY (tenant_id, affiliate_id, order_line_id, kind, cause)
);
