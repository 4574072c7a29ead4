-- Minutes that were counted and wait to be added to the roll-ups, many requests at once.
CREATE TABLE usage_waiting (
    seller_id BYTEA NOT NULL,
    batch_no BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (seller_id, batch_no)
);

-- What all groups did in a stretch is found by their hours and days.
DROP INDEX usage_rollup_time;
CREATE INDEX usage_rollup_time ON usage_rollup (meter_id, grain, bucket_at) WHERE grain > 0;
