-- Events lie in blocks: what a request brought of one hour, in one row. What the events are found by
-- again is their key alone.

-- `events` is a JSON list of events, each a list: source, id, type, subject, instant, data, why a
-- meter couldn't count it, and what it takes back.
CREATE TABLE usage_block (
    seller_id BYTEA NOT NULL,
    block_no BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    ingested_at BIGINT NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (seller_id, block_no)
);

CREATE INDEX usage_block_time ON usage_block (seller_id, last_at);

-- Every event, once, for ever, and the block that holds it. (The comma is followed by STRICT.)
CREATE TABLE usage_event_key (
    seller_id BYTEA NOT NULL,
    event_id TEXT NOT NULL,
    source TEXT NOT NULL,
    block_no BIGINT NOT NULL,
    PRIMARY KEY (seller_id, event_id, source)
) WITHOUT ROWID,;

-- Events that were taken back, when they had happened, and by which of the same source.
CREATE TABLE usage_reversal (
    seller_id BYTEA NOT NULL,
    event_id TEXT NOT NULL,
    source TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    reversed_by TEXT NOT NULL,
    PRIMARY KEY (seller_id, event_id, source)
);

CREATE INDEX usage_reversal_time ON usage_reversal (seller_id, occurred_at);

-- What was stored before: a block for each event.
INSERT INTO usage_block (seller_id, block_no, first_at, last_at, ingested_at, events)
    SELECT seller_id, rowid, occurred_at, occurred_at, ingested_at,
        json_array(json_array(source, event_id, event_type, subject, occurred_at,
            CASE WHEN data = '' THEN NULL ELSE json(data) END, problem, reverses))
    FROM usage_event;
INSERT INTO usage_event_key (seller_id, event_id, source, block_no)
    SELECT seller_id, event_id, source, rowid FROM usage_event
    ORDER BY seller_id, event_id, source;
INSERT INTO usage_reversal (seller_id, event_id, source, occurred_at, reversed_by)
    SELECT seller_id, event_id, source, occurred_at, reversed_by FROM usage_event
    WHERE reversed_by IS NOT NULL;
DROP TABLE usage_event;
