-- Units of quotas that devices share: what each was lent of a window, and what it said it used.
-- What is lent stays taken from the quota until the device settles it, or the seller writes it off.

CREATE TABLE unit_lease (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    device_key BYTEA NOT NULL,
    window_no BIGINT NOT NULL,
    activation_id BYTEA NOT NULL,
    number BIGINT NOT NULL,
    units BIGINT NOT NULL,
    used BIGINT NOT NULL,
    lent_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    written_off_at BIGINT,
    PRIMARY KEY (tenant_id, license_id, meter, device_key, window_no),
    FOREIGN KEY (tenant_id, license_id) REFERENCES license (tenant_id, license_id)
);
