-- A bank asks about what was paid: an order, or an invoice of usage.
ALTER TABLE dispute ALTER COLUMN order_id DROP NOT NULL;
ALTER TABLE dispute ADD COLUMN invoice_id BYTEA REFERENCES invoice (invoice_id);
ALTER TABLE dispute ADD CHECK ((order_id IS NULL) <> (invoice_id IS NULL));

CREATE INDEX dispute_invoice ON dispute (tenant_id, invoice_id, dispute_id);
