-- What sellers are paid out: their wishes, the runs that look at every balance, the payouts with
-- what the provider says of them, and the closed sets of ledger entries that are their statements.

CREATE TABLE ledger_closing (
    tenant_id BYTEA NOT NULL,
    ledger_account_id BYTEA NOT NULL,
    number BIGINT NOT NULL,
    reference TEXT NOT NULL,
    opening_minor BIGINT NOT NULL,
    closing_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    closed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, ledger_account_id, number),
    UNIQUE (tenant_id, reference)
);

CREATE TABLE ledger_closed_entry (
    tenant_id BYTEA NOT NULL,
    ledger_entry_id BYTEA NOT NULL,
    reference TEXT NOT NULL,
    PRIMARY KEY (tenant_id, ledger_entry_id)
);

CREATE INDEX ledger_closed_entry_reference ON ledger_closed_entry (tenant_id, reference);

-- What the platform says of a seller.
CREATE TABLE payout_seller (
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    verified_at BIGINT,
    paused_reason TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, seller_id)
);

-- What a seller wants, a row a currency.
CREATE TABLE payout_setting (
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    currency TEXT NOT NULL,
    provider TEXT NOT NULL,
    destination TEXT NOT NULL,
    threshold_minor BIGINT NOT NULL,
    paused BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, seller_id, currency)
);

CREATE TABLE payout_run (
    tenant_id BYTEA NOT NULL,
    payout_run_id BYTEA NOT NULL,
    occasion TEXT NOT NULL,
    started_by BYTEA,
    cut_off_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (tenant_id, payout_run_id),
    UNIQUE (tenant_id, occasion)
);

CREATE TABLE payout (
    tenant_id BYTEA NOT NULL,
    payout_id BYTEA NOT NULL,
    payout_run_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    provider TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL,
    statement_number BIGINT NOT NULL,
    provider_reference TEXT,
    failure_code TEXT,
    created_at BIGINT NOT NULL,
    paid_at BIGINT,
    ended_at BIGINT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payout_id),
    UNIQUE (tenant_id, seller_id, statement_number)
);

CREATE INDEX payout_of_run ON payout (tenant_id, payout_run_id, payout_id);
CREATE INDEX payout_of_seller ON payout (tenant_id, seller_id, payout_id);
-- One payout of a seller and currency is under way at a time.
CREATE UNIQUE INDEX payout_under_way ON payout (tenant_id, seller_id, currency)
    WHERE state IN ('created', 'sending');

CREATE TABLE payout_skip (
    tenant_id BYTEA NOT NULL,
    payout_run_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    reason TEXT NOT NULL,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payout_run_id, seller_id, currency)
);

CREATE INDEX payout_skip_seller ON payout_skip (tenant_id, seller_id, noted_at);

CREATE TABLE payout_event (
    tenant_id BYTEA NOT NULL,
    payout_event_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    provider_event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    payout_reference TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    failure_code TEXT,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    outcome TEXT,
    settled_at BIGINT,
    PRIMARY KEY (tenant_id, payout_event_id),
    UNIQUE (tenant_id, provider, provider_event_id)
);

CREATE TABLE payout_write_off (
    tenant_id BYTEA NOT NULL,
    write_off_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    reason TEXT NOT NULL,
    written_by BYTEA,
    written_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, write_off_id)
);

-- The embedded provider's own books of what it was asked to send.
CREATE TABLE sandbox_payout (
    tenant_id BYTEA NOT NULL,
    payout TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    destination TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    asked BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, payout),
    UNIQUE (tenant_id, idempotency_key)
);

CREATE TABLE sandbox_payout_event (
    tenant_id BYTEA NOT NULL,
    event TEXT NOT NULL,
    payout TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, event),
    FOREIGN KEY (tenant_id, payout) REFERENCES sandbox_payout (tenant_id, payout)
);
