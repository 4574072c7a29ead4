-- How far the demo's clock is ahead of the machine's, in milliseconds. It only grows, so that no
-- row is ever written before one that is there.
CREATE TABLE sandbox_clock (
    tenant_id BYTEA NOT NULL,
    ahead_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
);
