//! The integration tests: one binary, one module a story, each story on both engines.

mod store_transactions;
