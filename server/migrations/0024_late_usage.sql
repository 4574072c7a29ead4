-- Usage that happened in a period that was closed before it arrived, and what a closed period came
-- to, so that it can be rated again with it.

-- `current` bills it with the running period, `amend` with its own while that is unpaid.
ALTER TABLE metered_terms ADD COLUMN late TEXT NOT NULL DEFAULT 'current';

-- The instant after a closed period's last; zero for those closed before this was kept.
ALTER TABLE usage_mark ADD COLUMN ended_at BIGINT NOT NULL DEFAULT 0;

-- 1 where an invoice asks for late units: its stretch of the sources is of those alone.
ALTER TABLE usage_billed ADD COLUMN late BIGINT NOT NULL DEFAULT 0;

-- Units that arrived late, by the end of the period they happened in; of them, those for which it
-- was decided how they are billed.
CREATE TABLE usage_late (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL,
    ended_at BIGINT NOT NULL,
    meter TEXT NOT NULL,
    cell_key BYTEA NOT NULL,
    units BIGINT NOT NULL,
    decided_units BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, ended_at, meter, cell_key)
);

-- A closed period: what was promised for it, and what was missing to that.
CREATE TABLE metered_closed (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL REFERENCES metered_plan (license_id),
    period BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    commitment_minor BIGINT NOT NULL,
    missing_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, period)
);

-- What its meters came to; of a meter priced by dimension, a row for each row of the tariff beside
-- the one of the whole meter, whose dimension is empty.
CREATE TABLE metered_closed_meter (
    tenant_id BYTEA NOT NULL,
    license_id BYTEA NOT NULL REFERENCES metered_plan (license_id),
    period BIGINT NOT NULL,
    meter TEXT NOT NULL,
    dimension TEXT NOT NULL,
    units BIGINT NOT NULL,
    prepaid TEXT NOT NULL,
    cost_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, license_id, period, meter, dimension)
);
