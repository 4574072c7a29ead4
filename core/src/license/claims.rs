//! What a license says. `codec.rs` turns it into CBOR and back.

use std::collections::BTreeMap;

use super::name::{MAX_NAME, check_name};
use super::revocations::MAX_BITS;
use super::{Name, QuotaClaim, Version};
use crate::document::PublicKey;
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::time::Timestamp;

/// The claims of one license. Instants are whole seconds; fractions are cut when it is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The license's own id; the same when it is issued again.
    pub id: LicenseId,
    /// The product's code, such as `acme.editor`.
    pub product: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// From when it holds; at once when absent.
    pub not_before: Option<Timestamp>,
    /// When it ends; never when absent.
    pub expires_at: Option<Timestamp>,
    /// The one device it holds on, by its key; see also [`Claims::binding`].
    pub device: Option<PublicKey>,
    /// The edition that was bought.
    pub edition: Option<String>,
    /// What it allows, by name.
    pub entitlements: BTreeMap<Name, Entitlement>,
    /// How much of each meter may be used.
    pub quotas: BTreeMap<Name, QuotaClaim>,
    /// How many devices (or floating users) at the same time; no bound when absent.
    pub seats: Option<u32>,
    /// What the end of validity means.
    pub on_expiry: OnExpiry,
    /// Seconds after the end during which it still works, with a warning.
    pub grace_secs: u32,
    /// Whether it is a trial.
    pub trial: bool,
    /// The versions of the product it covers.
    pub versions: VersionRange,
    /// Versions released after this instant are not covered.
    pub updates_until: Option<Timestamp>,
    /// Whether a device needs an activation.
    pub binding: Binding,
    /// How much of a fingerprint an activated device must still match.
    pub matching: Matching,
    /// Licenses this one takes the place of.
    pub supersedes: Vec<LicenseId>,
    /// The customer, as an opaque id of the vendor's.
    pub customer: Option<String>,
    /// Seconds before the end from which the verdict says so; 14 days when absent.
    pub warn_secs: Option<u32>,
    /// Seconds of running under a suspect clock that are tolerated; 72 hours when absent.
    pub suspect_secs: Option<u32>,
    /// Where revocation lists tell about it; it can't be revoked offline when absent.
    pub status: Option<ListEntry>,
    /// How old a revocation list may be; lists may be of any age when absent.
    pub freshness: Option<Freshness>,
}

/// The place of a license in a revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListEntry {
    /// The list's number.
    pub list: u64,
    /// The bit in it; drawn at random, so that it doesn't count customers.
    pub index: u32,
}

/// How old the newest revocation list may be, and what happens when it is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The age in seconds from which a list is stale.
    pub max_age_secs: u32,
    /// What a stale list does.
    pub action: StaleAction,
    /// Seconds for which [`StaleAction::Lock`] only warns.
    pub grace_secs: u32,
}

/// What a stale revocation list does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StaleAction {
    /// Nothing.
    #[default]
    Ignore,
    /// The product goes on and warns.
    Warn,
    /// It warns for the grace, then stops until a newer list is there.
    Lock,
}

/// What an entitlement grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entitlement {
    /// It is there.
    Granted,
    /// A number the product compares with: projects, cores, megabytes.
    Limit(u64),
    /// A fixed value the product reads.
    Value(String),
}

/// What the end of validity means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExpiry {
    /// The product stops.
    #[default]
    Restrict,
    /// Versions released before the end keep working.
    Maintain,
    /// The product goes on and warns.
    Allow,
}

/// Whether a device needs an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Binding {
    /// No: the license is enough.
    #[default]
    None,
    /// Each device is activated once and keeps its seat.
    NodeLocked,
    /// Seats are lent for a time.
    Floating,
}

/// How many components of a fingerprint must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matching {
    /// The fingerprint is not compared.
    #[default]
    Ignore,
    /// At least one.
    Any,
    /// At least two.
    Two,
    /// More than half.
    Most,
    /// Every one.
    All,
}

impl Matching {
    /// Whether `matched` of `total` components are enough; nothing is, when none were recorded.
    pub const fn satisfied(self, matched: usize, total: usize) -> bool {
        match self {
            Self::Ignore => true,
            Self::Any => matched >= 1,
            Self::Two => matched >= 2,
            Self::Most => matched * 2 > total,
            Self::All => total > 0 && matched == total,
        }
    }
}

/// Versions from one, inclusive, to another, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VersionRange {
    /// The first version covered; from the beginning when absent.
    pub from: Option<Version>,
    /// The first version no longer covered; without end when absent.
    pub below: Option<Version>,
}

impl VersionRange {
    /// Whether `version` is covered.
    pub fn contains(&self, version: Version) -> bool {
        self.from.is_none_or(|from| version >= from)
            && self.below.is_none_or(|below| version < below)
    }

    /// Whether it covers everything.
    pub const fn is_open(&self) -> bool {
        self.from.is_none() && self.below.is_none()
    }
}

impl Claims {
    /// A license for `product` with nothing in it yet: no end, no entitlements, any device.
    pub fn new(id: LicenseId, product: impl Into<String>, issued_at: Timestamp) -> Self {
        Self {
            id,
            product: product.into(),
            issued_at,
            not_before: None,
            expires_at: None,
            device: None,
            edition: None,
            entitlements: BTreeMap::new(),
            quotas: BTreeMap::new(),
            seats: None,
            on_expiry: OnExpiry::default(),
            grace_secs: 0,
            trial: false,
            versions: VersionRange::default(),
            updates_until: None,
            binding: Binding::default(),
            matching: Matching::default(),
            supersedes: Vec::new(),
            customer: None,
            warn_secs: None,
            suspect_secs: None,
            status: None,
            freshness: None,
        }
    }

    /// The entitlement called `name`, if the license has it.
    pub fn entitlement(&self, name: &str) -> Option<&Entitlement> {
        self.entitlements.get(&name.parse().ok()?)
    }

    /// The quota on the meter called `name`, if the license has one.
    pub fn quota(&self, name: &str) -> Option<&QuotaClaim> {
        self.quotas.get(&name.parse().ok()?)
    }

    /// Whether devices share this quota of the license, so that each spends of it only what it was
    /// lent. A rolling one is each device's own.
    pub fn shares(&self, quota: &QuotaClaim) -> bool {
        let rolling = matches!(quota.window, crate::meter::Window::Rolling { .. });
        self.seats.is_some_and(|seats| seats > 1)
            && quota.limit.is_some()
            && !quota.per_device
            && !rolling
    }

    /// Refuses what no license may say; `malformed` tells which claim.
    pub(super) fn check(&self) -> Result<()> {
        check_name(&self.product)?;
        for text in [&self.edition, &self.customer].into_iter().flatten() {
            bounded("an edition or customer", text.len(), MAX_NAME)?;
        }
        for (name, entitlement) in &self.entitlements {
            check_named(name)?;
            if let Entitlement::Value(value) = entitlement {
                bounded("an entitlement's value", value.len(), 256)?;
            }
        }
        for (name, quota) in &self.quotas {
            check_named(name)?;
            quota.check()?;
        }
        bounded("the list of entitlements", self.entitlements.len(), 256)?;
        bounded("the list of quotas", self.quotas.len(), 64)?;
        bounded("the list of superseded licenses", self.supersedes.len(), 16)?;
        if self.status.is_some_and(|entry| entry.index >= MAX_BITS) {
            return Err(Error::new(
                "malformed",
                "the license's place is beyond the end of any revocation list",
            ));
        }
        let over = self.expires_at.zip(self.not_before);
        if over.is_some_and(|(end, start)| end <= start) {
            return Err(Error::new("malformed", "the license ends before it starts"));
        }
        Ok(())
    }
}

fn check_named(name: &Name) -> Result<()> {
    match name {
        Name::Number(_) => Ok(()),
        Name::Text(text) => check_name(text).map(drop),
    }
}

fn bounded(what: &str, len: usize, most: usize) -> Result<()> {
    if len <= most {
        return Ok(());
    }
    Err(Error::new(
        "malformed",
        format!("{what} has a size of {len}; the most is {most}"),
    ))
}
