-- Minutes that were counted and wait to be added to the roll-ups, many requests at once.
CREATE TABLE usage_waiting (
    seller_id BYTEA NOT NULL,
    batch_no BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (seller_id, batch_no)
);

-- Roll-ups lie by their key alone, so that neighbours in time are neighbours on the disk; what
-- all groups did in a stretch is found by their hours and days. (The comma is followed by STRICT.)
ALTER TABLE usage_rollup RENAME TO usage_rollup_before;
DROP INDEX usage_rollup_time;
CREATE TABLE usage_rollup (
    meter_id BYTEA NOT NULL,
    grain BIGINT NOT NULL,
    group_key BYTEA NOT NULL,
    bucket_at BIGINT NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (meter_id, grain, group_key, bucket_at)
) WITHOUT ROWID,;
INSERT INTO usage_rollup (meter_id, grain, group_key, bucket_at, state)
    SELECT meter_id, grain, group_key, bucket_at, state FROM usage_rollup_before
    ORDER BY meter_id, grain, group_key, bucket_at;
DROP TABLE usage_rollup_before;
CREATE INDEX usage_rollup_time ON usage_rollup (meter_id, grain, bucket_at) WHERE grain > 0;
