-- Hosts of floating seats on customers' own networks: who may lend a license's seats, and until when.
-- While one may, the seats are the host's and none is taken online.

CREATE TABLE floating_host (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    host_key BYTEA NOT NULL,
    file TEXT NOT NULL,
    delegated_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, host_key),
    FOREIGN KEY (tenant_id, license_id) REFERENCES license (tenant_id, license_id)
);
