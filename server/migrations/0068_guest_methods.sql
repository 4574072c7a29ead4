-- Methods that guests are about to leave for a subscription that is in nobody's account.

CREATE TABLE subscription_method_setup (
    tenant_id BYTEA NOT NULL,
    setup_id BYTEA NOT NULL,
    subscription_id BYTEA NOT NULL,
    begun_at BIGINT NOT NULL,
    -- `open`, `kept` or `refused`.
    state TEXT NOT NULL,
    PRIMARY KEY (tenant_id, setup_id)
);
