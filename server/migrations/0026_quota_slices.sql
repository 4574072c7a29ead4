-- Units of a key's quota that a backend's nodes spend without asking.

-- What is lent is within quota_use.units of its window until its node says that it uses no more.
-- A node's name is new for each slice that it begins; number only rises.
CREATE TABLE quota_slice (
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL,
    node TEXT NOT NULL,
    window_number BIGINT NOT NULL,
    license_id BYTEA NOT NULL,
    api_key_id BYTEA NOT NULL,
    meter TEXT NOT NULL,
    number BIGINT NOT NULL,
    units BIGINT NOT NULL,
    used BIGINT NOT NULL,
    lent_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, seller_id, node, window_number),
    FOREIGN KEY (tenant_id, api_key_id) REFERENCES api_key (tenant_id, api_key_id)
);

CREATE INDEX quota_slice_live ON quota_slice (tenant_id, license_id, meter, ends_at);
