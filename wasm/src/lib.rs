//! The browser's binding: verify, price and an in-memory meter.
