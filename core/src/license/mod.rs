//! Licenses: what a customer bought, who may say so, and whether it holds here and now.
//!
//! A vendor pins a [`Trust`]: its root keys and its product. The root signs a [`Certificate`] for
//! another key, that key signs a license with [`issue`], and the product checks the bundle of both
//! with [`verify`], offline. Whether the license allows anything now, on this device, in this
//! version, is [`judge`]'s answer: a [`Verdict`] with a stable code and one sentence to show.
//! Other signed documents under the same trust are opened by [`open_bundle`].
//!
//! ```
//! use mintreu::document::SigningKey;
//! use mintreu::id::LicenseId;
//! use mintreu::license::{Claims, Entitlement, Facts, Trust, issue, judge, verify};
//! use mintreu::Timestamp;
//!
//! // The vendor, once: a root key, whose public half the product pins.
//! let root = SigningKey::generate()?;
//! let trust = Trust::new("acme.editor", *root.public())?;
//!
//! // The vendor, for each customer.
//! let now = Timestamp::from_secs(1_795_008_000);
//! let mut claims = Claims::new(LicenseId::from_bytes([7; 16]), "acme.editor", now);
//! claims.entitlements.insert("export-4k".parse()?, Entitlement::Granted);
//! let bundle = issue(&claims, &root, &[])?;
//!
//! // The product, offline.
//! let license = verify(&bundle, &trust)?;
//! let verdict = judge(&license, &Facts::at(now));
//! assert!(verdict.is_allowed(), "{}: {}", verdict.code(), verdict.sentence());
//! assert!(license.claims().entitlement("export-4k").is_some());
//! # Ok::<(), mintreu::Error>(())
//! ```
//!
//! # Invariants
//!
//! * A [`VerifiedLicense`] exists only after every signature from a pinned root down was verified.
//! * Certificate dates bound the instant of issue of what they sign; a license outlives them.
//! * A child certificate is never wider than its parent, and only a delegating one has children.
//! * Judging is pure: the same license, facts and instant give the same verdict in every language.
//! * Claims hold no names and no addresses: a customer is an opaque id.

mod certificate;
mod claims;
mod codec;
mod judge;
mod name;
mod trust;
mod verdict;
mod verify;

pub use certificate::{Certificate, Products};
pub use claims::{Binding, Claims, Entitlement, Matching, OnExpiry, QuotaClaim, VersionRange};
pub use judge::{ActivationFacts, ClockState, DeviceFacts, Facts, judge};
pub use name::{Name, Version};
pub use trust::Trust;
pub use verdict::{Status, Verdict};
pub use verify::{Opened, VerifiedLicense, issue, open_bundle, verify, verify_text};
