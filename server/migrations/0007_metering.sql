-- Usage: streams with their watermarks, the segments that were accepted, and what they count.

-- One device's use of one license. The position and its signed receipt change in the commit that
-- changes the totals.
CREATE TABLE usage_stream (
    stream_id BYTEA NOT NULL PRIMARY KEY,
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    activation_id BYTEA NOT NULL,
    device_key BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    head BYTEA NOT NULL,
    receipt BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX usage_stream_license ON usage_stream (tenant_id, license_id, stream_id);

CREATE TABLE usage_segment (
    tenant_id BYTEA NOT NULL,
    stream_id BYTEA NOT NULL REFERENCES usage_stream (stream_id),
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    document BYTEA NOT NULL,
    sealed_at BIGINT NOT NULL,
    time_quality TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, stream_id, epoch, seq)
);

-- Evidence of a second continuation of a chain: shown to the seller, never counted.
CREATE TABLE usage_fork (
    tenant_id BYTEA NOT NULL,
    stream_id BYTEA NOT NULL REFERENCES usage_stream (stream_id),
    hash BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    document BYTEA NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, stream_id, hash)
);

-- Cumulative totals as the device reports them, an epoch at a time.
CREATE TABLE usage_cell (
    tenant_id BYTEA NOT NULL,
    stream_id BYTEA NOT NULL REFERENCES usage_stream (stream_id),
    epoch BIGINT NOT NULL,
    cell_key BYTEA NOT NULL,
    units BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, stream_id, epoch, cell_key)
);

-- What a license has used in all, over all its devices; disputed units are beside, not inside.
CREATE TABLE usage_total (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    subject TEXT NOT NULL,
    cell_key BYTEA NOT NULL,
    units BIGINT NOT NULL,
    disputed_units BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, meter, subject, cell_key)
);

-- The same units by hour and by day (UTC), for charts.
CREATE TABLE usage_bucket (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    grain TEXT NOT NULL,
    bucket_at BIGINT NOT NULL,
    product_id BYTEA NOT NULL,
    units BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, meter, grain, bucket_at)
);

CREATE INDEX usage_bucket_product
    ON usage_bucket (tenant_id, product_id, grain, bucket_at, meter, units);
