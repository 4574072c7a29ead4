-- Licenses whose invoices of usage are paid by themselves, with what their owner agreed to.

CREATE TABLE automatic_payment (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    account_id BYTEA NOT NULL,
    provider TEXT NOT NULL,
    method TEXT NOT NULL,
    agreed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id),
    FOREIGN KEY (tenant_id, license_id) REFERENCES license (tenant_id, license_id)
);
