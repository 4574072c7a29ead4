-- How a plan can be tried stands with its price, where every reader of the price finds it; each person
-- tries a product once, whatever they add to their address; and a trial keeps what was agreed to.

ALTER TABLE price ADD COLUMN trial_days BIGINT;
ALTER TABLE price ADD COLUMN trial_without_method BIGINT NOT NULL DEFAULT 0;

UPDATE price SET trial_days = (
    SELECT t.days FROM subscription_trial_terms t
    WHERE t.tenant_id = price.tenant_id AND t.days > 0
        AND t.price_id = COALESCE(price.plan_id, price.price_id));
-- Until now no trial asked for a payment method.
UPDATE price SET trial_without_method = 1 WHERE trial_days IS NOT NULL;
DROP TABLE subscription_trial_terms;

-- A keyed hash of the address as one person has it.
CREATE TABLE subscription_trial_address (
    tenant_id BYTEA NOT NULL,
    product_id BYTEA NOT NULL,
    address_hash BYTEA NOT NULL,
    subscription_id BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, product_id, address_hash)
);

CREATE TABLE subscription_consent (
    tenant_id BYTEA NOT NULL,
    subscription_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    text_hash BYTEA NOT NULL,
    agreed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subscription_id, kind)
);
