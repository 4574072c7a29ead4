-- Whether a bank asks about an order, undecided: lists are filtered by it.

ALTER TABLE customer_order ADD COLUMN is_disputed BIGINT NOT NULL DEFAULT 0;

UPDATE customer_order SET is_disputed = 1 WHERE EXISTS (
    SELECT 1 FROM dispute d
    WHERE d.tenant_id = customer_order.tenant_id AND d.order_id = customer_order.order_id
        AND d.state IN ('inquiry', 'chargeback'));
