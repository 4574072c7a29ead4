-- When the money of a wish that was granted came back, and sellers' wishes by where they stand.
ALTER TABLE refund_wish ADD COLUMN failed_at BIGINT;
CREATE INDEX refund_wish_seller_state ON refund_wish
    (tenant_id, seller_id, state, refund_wish_id);
