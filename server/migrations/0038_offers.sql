-- What can be offered: plans, which are prices with their versions and their regional stand-ins,
-- and what a license at each grants; and the price that a subscriber was told to be moved to.

ALTER TABLE price ADD COLUMN plan_id BYTEA;
ALTER TABLE price ADD COLUMN regional BIGINT NOT NULL DEFAULT 0;
-- JSON; NULL for what the product says.
ALTER TABLE price ADD COLUMN terms TEXT;

ALTER TABLE subscription ADD COLUMN notice_price_id BYTEA;
-- The price whose terms the license has; NULL for those that it was sold with.
ALTER TABLE subscription ADD COLUMN granted_price_id BYTEA;
-- What the license grants by itself, free of charge, when nothing is paid for any more: JSON.
ALTER TABLE subscription ADD COLUMN free_terms TEXT;
