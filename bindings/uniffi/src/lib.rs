//! The engine for Kotlin, Swift and Ruby, whose sources are generated from this crate.
//!
//! Conversion only: every rule lives in the `mintreu` crate.
//!
//! Invariants
//! * Every error is `MintreuError.Failed` with the engine's stable `code` and a sentence.
//! * Instants are milliseconds since 1970; an absent one means the system's clock.

mod engine;
mod event;
mod host;
mod license;
mod meter;
mod price;
mod quota;
mod sync;
mod value;

pub use engine::{Engine, OpenOptions, Pace};
pub use event::Event;
pub use host::{Fingerprint, fingerprint, host_fingerprint};
pub use license::{
    Circumstances, Grant, License, Quota, Verdict, redeem_code, trust_product, verdict, verify,
};
pub use meter::{Count, Decision, Durability, Meter, Reservation, Usage};
pub use price::{
    Bill, BillLine, BillTerms, Burn, CellUsage, Charge, Credit, Money, Rated, Share, bill, price,
};
pub use quota::{Alert, QuotaStatus};
pub use sync::{Request, retry_after};
pub use value::MintreuError;

uniffi::setup_scaffolding!("mintreu");
