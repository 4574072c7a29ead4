-- Seats that are lent for a while: when a floating seat is no longer kept; none for one that is kept
-- as long as its license.

ALTER TABLE activation ADD COLUMN seat_ends_at BIGINT;

CREATE INDEX activation_seat_end ON activation (tenant_id, license_id, seat_ends_at);
