//! Offline licences and metering that both sides can believe, embedded in your product.

pub mod activation;
#[cfg(feature = "cache")]
pub mod cache;
pub mod document;
pub mod error;
pub mod id;
pub mod license;
#[cfg(feature = "journal")]
pub mod journal;
pub mod meter;
pub mod money;
pub mod price;
pub mod time;

pub use error::{Error, Result};
pub use money::{Currency, Money};
pub use time::{Clock, FixedClock, SystemClock, Timestamp};
