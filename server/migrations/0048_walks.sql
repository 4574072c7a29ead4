-- What was found by walking all rows of a tenant.

CREATE INDEX affiliate_referral_affiliation ON affiliate_referral
    (tenant_id, affiliation_id, currency);
CREATE INDEX ledger_account_owner ON ledger_account (tenant_id, owner_id);
