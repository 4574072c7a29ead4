-- How a recurring price goes on (JSON; null for as long as nobody ends it, with the usual grace), and
-- which period of a subscription is its last.

ALTER TABLE price ADD COLUMN renewing TEXT;
ALTER TABLE subscription ADD COLUMN last_period BIGINT;
ALTER TABLE subscription ADD COLUMN keeps_license BIGINT NOT NULL DEFAULT 0;
