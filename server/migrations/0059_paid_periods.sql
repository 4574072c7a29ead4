-- What the running period was paid with, in minor units: its price less what a code took off. Null for
-- periods that began before it was kept, which count as paid in full.
ALTER TABLE subscription ADD COLUMN paid_minor BIGINT;
