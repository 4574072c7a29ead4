-- What is asked before money moves: the owner's rules and lists, what was tried, what was decided,
-- and orders whose money waits for somebody's look. Buyers, mail domains and networks are kept as
-- keyed hashes.

-- Rules that the owner wrote or changed; one that is built in and unchanged has no row.
CREATE TABLE risk_rule (
    tenant_id BYTEA NOT NULL,
    rule_id BYTEA NOT NULL,
    name TEXT NOT NULL,
    counts TEXT NOT NULL,
    counted_by TEXT NOT NULL,
    window_ms BIGINT NOT NULL,
    threshold BIGINT NOT NULL,
    -- Of what is counted in money.
    currency TEXT,
    -- Only of sellers whose shop is younger.
    newer_than_days BIGINT,
    action TEXT NOT NULL,
    mode TEXT NOT NULL,
    -- For how long who is refused stays blocked.
    block_ms BIGINT,
    changed_by BYTEA,
    changed_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (tenant_id, rule_id)
);

-- The allow list and the block list.
CREATE TABLE risk_entry (
    tenant_id BYTEA NOT NULL,
    entry_id BYTEA NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    key_hash BYTEA NOT NULL,
    -- What the owner recognises it by: never a whole address.
    label TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- The rule that wrote it, or the person.
    rule_id BYTEA,
    set_by BYTEA,
    set_at BIGINT NOT NULL,
    ends_at BIGINT,
    lifted_by BYTEA,
    lifted_at BIGINT,
    PRIMARY KEY (tenant_id, entry_id)
);

CREATE INDEX risk_entry_key ON risk_entry (tenant_id, kind, key_hash, lifted_at);

-- What rules count: a purchase that was tried, or a payment that was declined, once by each key.
CREATE TABLE risk_signal (
    tenant_id BYTEA NOT NULL,
    what TEXT NOT NULL,
    source TEXT NOT NULL,
    counted_by TEXT NOT NULL,
    key_hash BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    address_hash BYTEA,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    is_free BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, what, source, counted_by, key_hash)
);

CREATE INDEX risk_signal_key ON risk_signal (tenant_id, what, counted_by, key_hash, at);
CREATE INDEX risk_signal_order ON risk_signal (tenant_id, order_id, what);
CREATE INDEX risk_signal_at ON risk_signal (tenant_id, at);

-- The decision log.
CREATE TABLE risk_decision (
    tenant_id BYTEA NOT NULL,
    decision_id BYTEA NOT NULL,
    step TEXT NOT NULL,
    outcome TEXT NOT NULL,
    -- The strongest of what rules in shadow mode would have done.
    shadow TEXT,
    order_id BYTEA,
    buyer_hash BYTEA,
    domain_hash BYTEA,
    network_hash BYTEA,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    -- The entry of a list that decided.
    entry_id BYTEA,
    -- What each rule counted, as JSON.
    looked TEXT NOT NULL,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, decision_id)
);

CREATE INDEX risk_decision_order ON risk_decision (tenant_id, order_id, decision_id);
CREATE INDEX risk_decision_at ON risk_decision (tenant_id, decided_at);

-- Orders that wait, or waited, for somebody's look.
CREATE TABLE risk_review (
    tenant_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    state TEXT NOT NULL,
    -- The names of the rules, for the owner.
    why TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    -- From when on there is money to hold.
    paid_at BIGINT,
    decided_by BYTEA,
    decided_at BIGINT,
    note TEXT NOT NULL,
    PRIMARY KEY (tenant_id, order_id)
);

CREATE INDEX risk_review_state ON risk_review (tenant_id, state, paid_at);

-- The sandbox's page asks for a proof whatever the card.
ALTER TABLE sandbox_session ADD COLUMN is_strong BIGINT NOT NULL DEFAULT 0;
