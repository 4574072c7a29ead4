//! Licenses: what a customer bought, who may say so, and whether it holds here and now.
//!
//! A vendor pins a [`Trust`]: its root keys and its product. The root signs a [`Certificate`] for
//! another key, that key signs a license with [`issue`], and the product checks the bundle of both
//! with [`verify`], offline. Whether the license allows anything now, on this device, in this
//! version, is [`judge`]'s answer: a [`Verdict`] with a stable code and one sentence to show.
//! Other signed documents under the same trust are opened by [`open_bundle`].
//!
//! What happens after the product was built comes as two more documents: a [`KeySet`] adds and
//! revokes keys, changes roots and sets licenses free; [`Revocations`] withdraw licenses. A
//! [`Ring`] holds the newest of both and stands wherever a trust does.
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
//! * Versions of key sets and revocation lists only rise: a [`Ring`] never takes an older one.
//! * No instant of issue vouches for a revoked key.
//! * Judging is pure: the same license, facts and instant give the same verdict in every language.
//! * Claims hold no names and no addresses: a customer is an opaque id.

mod certificate;
mod claims;
mod codec;
mod judge;
mod key_set;
mod name;
mod quotas;
mod revocations;
mod ring;
mod schema;
mod trust;
mod verdict;
mod verify;

pub use certificate::{Certificate, Products};
pub use claims::{
    Binding, Claims, Entitlement, Freshness, ListEntry, Matching, OnExpiry, StaleAction,
    VersionRange,
};
pub(crate) use codec::instant;
pub(crate) use judge::dated;
pub use judge::{ActivationFacts, ClockState, DeviceFacts, Facts, Standing, judge};
pub use key_set::{KeySet, RevokedKey};
pub(crate) use name::check_name;
pub use name::{Name, Version};
pub use quotas::{Credit, MAX_ALERTS, MAX_CREDITS, QuotaClaim};
pub use revocations::Revocations;
pub use ring::{Anchor, Ring};
pub use schema::Schema;
pub use trust::Trust;
pub use verdict::{Status, Verdict};
pub(crate) use verify::open_under;
pub use verify::{Opened, Signers, VerifiedLicense, issue, open_bundle, verify, verify_text};
