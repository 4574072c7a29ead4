#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod activation;
#[cfg(feature = "cache")]
pub mod cache;
pub mod clock;
pub mod document;
#[cfg(feature = "journal")]
pub mod engine;
pub mod error;
pub mod gateway;
#[cfg(feature = "host")]
pub mod host;
pub mod id;
#[cfg(feature = "import")]
pub mod import;
#[cfg(feature = "journal")]
pub mod journal;
#[cfg(feature = "journal")]
pub mod keystore;
pub mod license;
pub mod log;
pub mod meter;
pub mod money;
pub mod price;
pub mod sync;
pub mod time;

#[cfg(feature = "journal")]
pub use engine::{Durability, Engine, Installed, Meter, Options, Pace, Reservation, Stacking};
pub use error::{Error, Result};
pub use money::{Currency, Money};
pub use time::{Clock, FixedClock, SystemClock, Timestamp};
