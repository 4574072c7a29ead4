//! The integration tests: one binary, one module a story, each story on both engines.

mod accounts;
mod batch_seller;
mod billing_periods;
mod catalog_import;
mod catalog_search;
mod commerce_buy;
mod commerce_control;
mod commerce_licenses;
mod demo;
mod licensing_key_sets;
mod licensing_keys;
mod licensing_lists;
mod licensing_seats;
mod license_batches;
mod license_keys;
mod metered;
mod metering_segments;
mod shop;
mod serve_loop;
mod notify_mail;
mod store_jobs;
mod store_schema;
mod store_transactions;
mod tidy;
mod transparency;
mod web_pages;
