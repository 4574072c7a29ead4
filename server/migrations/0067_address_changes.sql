-- Changes of the address of an account, each as it was asked for. The row stays: what was counted of a
-- person by an address they had is counted still.

CREATE TABLE account_address_change (
    tenant_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL REFERENCES account (account_id),
    -- Rises with each: a link is of one round.
    round BIGINT NOT NULL,
    old_email TEXT NOT NULL,
    new_email TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- `open`, `confirmed`, `stopped` or `undone`.
    state TEXT NOT NULL,
    decided_at BIGINT,
    PRIMARY KEY (tenant_id, account_id, round)
);
