-- How a recurring price goes on (JSON; null for as long as nobody ends it, with the usual grace), and
-- how many payments of a subscription are still to come; null where nobody knows.

ALTER TABLE price ADD COLUMN renewing TEXT;
ALTER TABLE subscription ADD COLUMN payments_left BIGINT;
ALTER TABLE subscription ADD COLUMN keeps_license BIGINT NOT NULL DEFAULT 0;
