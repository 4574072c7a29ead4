-- Units that a seller took back from devices that never accounted for them: who did it and why.

CREATE TABLE unit_write_off (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    device_key BYTEA NOT NULL,
    window_no BIGINT NOT NULL,
    number BIGINT NOT NULL,
    product_id BYTEA NOT NULL,
    activation_id BYTEA NOT NULL,
    units BIGINT NOT NULL,
    reason TEXT NOT NULL,
    written_off_by BYTEA NOT NULL,
    written_off_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, meter, device_key, window_no, number),
    FOREIGN KEY (tenant_id, license_id) REFERENCES license (tenant_id, license_id)
);

CREATE INDEX unit_write_off_product ON unit_write_off (tenant_id, product_id, written_off_at);
