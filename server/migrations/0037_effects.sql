-- What money that goes back does to what hangs on it.

-- Where a subscription stood when a bank took money of one of its payments.
ALTER TABLE subscription ADD COLUMN disputed TEXT;

CREATE INDEX subscription_order ON subscription (tenant_id, order_id);

-- Whether the subscription that the order pays for ends when all of it went back.
ALTER TABLE refund ADD COLUMN ends_subscription BIGINT NOT NULL DEFAULT 0;
