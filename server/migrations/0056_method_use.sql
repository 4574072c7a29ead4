-- What a provider does with what pays: takes it once, keeps it to charge it again (setup), or
-- charges what it has kept while nobody is there (saved). And who was led to its page.

ALTER TABLE payment ADD COLUMN method_use TEXT NOT NULL DEFAULT 'setup';
ALTER TABLE payment ADD COLUMN begun_by BYTEA;
-- Until now an attempt that nobody was there for was told by having no page.
UPDATE payment SET method_use = 'saved' WHERE page_url IS NULL;

ALTER TABLE sandbox_session ADD COLUMN is_kept BIGINT NOT NULL DEFAULT 1;
