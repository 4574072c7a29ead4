-- What of a cell was used before the running period, so that a period can be told apart by subject
-- and dimension. Zero until a license's next period is closed.
ALTER TABLE usage_total ADD COLUMN settled_units BIGINT NOT NULL DEFAULT 0;
