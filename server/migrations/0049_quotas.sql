-- One account of a quota, whoever spends it: what the window before left, of which some comes along,
-- which alerts were told, and what a device was told of the others' use with its lease.

ALTER TABLE quota_use ADD COLUMN before_window BIGINT;
ALTER TABLE quota_use ADD COLUMN before_left BIGINT NOT NULL DEFAULT 0;
ALTER TABLE quota_use ADD COLUMN told BIGINT NOT NULL DEFAULT 0;

ALTER TABLE unit_lease ADD COLUMN beside BIGINT NOT NULL DEFAULT 0;
