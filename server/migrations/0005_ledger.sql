-- Double entry, append-only. A debit is positive, a credit negative; every transaction sums to zero
-- in every currency. Rows are never updated or deleted, only the escrow of a sale changes state.

CREATE TABLE ledger_account (
    tenant_id BYTEA NOT NULL,
    ledger_account_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    owner_id BYTEA NOT NULL,
    currency TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, ledger_account_id),
    UNIQUE (tenant_id, kind, owner_id, currency)
);

CREATE TABLE ledger_transaction (
    tenant_id BYTEA NOT NULL,
    ledger_transaction_id BYTEA NOT NULL,
    posting_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    content_hash BYTEA NOT NULL,
    reverses_id BYTEA,
    posted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, ledger_transaction_id),
    UNIQUE (tenant_id, posting_key),
    UNIQUE (tenant_id, reverses_id)
);

CREATE INDEX ledger_transaction_reference ON ledger_transaction (tenant_id, reference);

CREATE TABLE ledger_entry (
    tenant_id BYTEA NOT NULL,
    ledger_entry_id BYTEA NOT NULL,
    ledger_transaction_id BYTEA NOT NULL,
    ledger_account_id BYTEA NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    posted_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, ledger_entry_id),
    FOREIGN KEY (tenant_id, ledger_transaction_id)
        REFERENCES ledger_transaction (tenant_id, ledger_transaction_id),
    FOREIGN KEY (tenant_id, ledger_account_id)
        REFERENCES ledger_account (tenant_id, ledger_account_id)
);

CREATE INDEX ledger_entry_account ON ledger_entry (tenant_id, ledger_account_id, posted_at);
CREATE INDEX ledger_entry_transaction ON ledger_entry (tenant_id, ledger_transaction_id);

-- What a seller earned by one sale and may not withdraw yet, with the reason and the date.
CREATE TABLE ledger_escrow (
    tenant_id BYTEA NOT NULL,
    source TEXT NOT NULL,
    seller_id BYTEA NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    held_at BIGINT NOT NULL,
    releasable_at BIGINT NOT NULL,
    released_at BIGINT,
    PRIMARY KEY (tenant_id, source)
);

CREATE INDEX ledger_escrow_seller ON ledger_escrow (tenant_id, seller_id, held_at);
