-- How much of a wish was granted, which may be less than was wished for.
ALTER TABLE refund_wish ADD COLUMN granted_minor BIGINT;

UPDATE refund_wish SET granted_minor = COALESCE((SELECT refund.amount_minor FROM refund
        WHERE refund.tenant_id = refund_wish.tenant_id AND refund.refund_id = refund_wish.refund_id),
    amount_minor)
WHERE state = 'granted';
