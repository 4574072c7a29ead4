-- What stands behind counted usage: receipts by segment, where billed units came from, disputes,
-- and how often this server was restored.

-- The receipt that was signed when the segment was accepted; null for those from before.
ALTER TABLE usage_segment ADD COLUMN receipt BYTEA;

-- What each accepted segment added to a license's meters, in the order of acceptance: an invoice
-- asks for a stretch of it.
CREATE TABLE usage_source (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    position BIGINT NOT NULL,
    meter TEXT NOT NULL,
    kind TEXT NOT NULL,
    stream_id BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    units BIGINT NOT NULL,
    counted_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, position, meter)
);

-- How far a license's sources had come when a period was closed.
CREATE TABLE usage_mark (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    position BIGINT NOT NULL,
    marked_at BIGINT NOT NULL
);

CREATE INDEX usage_mark_license ON usage_mark (tenant_id, license_id, position);

-- Which stretch of the sources an invoice's units of a meter are.
CREATE TABLE usage_billed (
    tenant_id BYTEA NOT NULL,
    invoice_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    license_id BYTEA NOT NULL,
    units BIGINT NOT NULL,
    from_position BIGINT NOT NULL,
    until_position BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, invoice_id, meter)
);

-- Units that a second copy of a device reported, until their seller decides.
CREATE TABLE usage_dispute (
    tenant_id BYTEA NOT NULL,
    stream_id BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    cell_key BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    subject TEXT NOT NULL,
    units BIGINT NOT NULL,
    state TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    decided_at BIGINT,
    decided_by BYTEA,
    reason TEXT,
    PRIMARY KEY (tenant_id, stream_id, epoch, cell_key)
);

CREATE INDEX usage_dispute_product ON usage_dispute (tenant_id, product_id, opened_at);
CREATE INDEX usage_stream_product ON usage_stream (tenant_id, product_id, updated_at);

-- Each time this server was put back from a backup; its epoch is one above the highest.
CREATE TABLE usage_restore (
    tenant_id BYTEA NOT NULL,
    server_epoch BIGINT NOT NULL,
    noticed_at BIGINT NOT NULL,
    noticed_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, server_epoch)
);
