-- Where sellers stand with the platform. What reads a product reads its seller's row anyway, so the
-- standing is there; why it changed, and who changed it, is kept beside, one row a change.

ALTER TABLE seller ADD COLUMN standing TEXT NOT NULL DEFAULT 'active';
ALTER TABLE seller ADD COLUMN standing_since BIGINT;

CREATE INDEX seller_standing_list ON seller (tenant_id, standing, slug);

CREATE TABLE seller_standing (
    tenant_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL REFERENCES seller (account_id),
    number BIGINT NOT NULL,
    standing TEXT NOT NULL,
    reason TEXT NOT NULL,
    changed_by BYTEA,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, seller_id, number)
);

-- A subscription rests while its seller is suspended: since when its buyer knows.
ALTER TABLE subscription ADD COLUMN rests_since BIGINT;
CREATE INDEX subscription_seller ON subscription (tenant_id, seller_id, subscription_id);
