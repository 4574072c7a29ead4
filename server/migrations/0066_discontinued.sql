-- What a seller gives up: the subscriptions of an archived product end with what is paid, a batch of
-- them at a time, until the seller calls that off.

CREATE TABLE subscription_discontinuation (
    tenant_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    wished_at BIGINT NOT NULL,
    called_off_at BIGINT,
    -- A job of an earlier round does nothing.
    round BIGINT NOT NULL,
    -- The last subscription that the round has come to; empty before the first.
    cursor_id BYTEA NOT NULL,
    -- How many buyers the round has told.
    told BIGINT NOT NULL,
    done_at BIGINT,
    PRIMARY KEY (tenant_id, product_id)
);

-- Why it ends with its period, where that isn't its buyer's own wish: `discontinued`.
ALTER TABLE subscription ADD COLUMN cancel_reason TEXT;

CREATE INDEX subscription_living ON subscription (tenant_id, product_id, subscription_id)
    WHERE status <> 'canceled';
