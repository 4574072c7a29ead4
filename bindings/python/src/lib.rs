//! The Python package's compiled half, `mintreu._native`.
//!
//! Conversion only: every rule lives in the `mintreu` crate. What a Python programmer imports is
//! in `python/mintreu/__init__.py`; the types are in `_native.pyi` beside it.
//!
//! Invariants
//! * Errors are `mintreu.MintreuError` with the engine's stable `code`.
//! * Instants are aware `datetime`s in UTC, precise to the millisecond.
//! * The interpreter's lock is released around everything that touches a disk or a key.

mod engine;
mod event;
mod gateway;
mod host;
mod license;
mod meter;
mod price;
mod quota;
mod sync;
mod value;

use pyo3::pymodule;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::engine::{Engine, Pace};
    #[pymodule_export]
    use super::event::Event;
    #[pymodule_export]
    use super::gateway::{Answer, Gateway, Plan};
    #[pymodule_export]
    use super::host::{Fingerprint, fingerprint, host_fingerprint};
    #[pymodule_export]
    use super::license::{License, Quota, Verdict, redeem_code, trust_product, verdict, verify};
    #[pymodule_export]
    use super::meter::{Decision, Meter, Reservation, Usage};
    #[pymodule_export]
    use super::price::{Bill, BillLine, Burn, Charge, Credit, Money, Rated, bill, price_of};
    #[pymodule_export]
    use super::quota::{Alert, QuotaStatus};
    #[pymodule_export]
    use super::sync::{Request, retry_after};
}
