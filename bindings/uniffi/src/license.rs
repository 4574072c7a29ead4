//! Licenses: verified, judged, and laid out for the foreign language.

use std::collections::HashMap;

use mintreu::Timestamp;
use mintreu::activation::{Presented, RedeemCode, judge_texts};
use mintreu::document::from_text;
use mintreu::license::{self, Claims, Entitlement, Facts, QuotaClaim, Trust};

use crate::value::{MintreuError, instant};

/// What a license is judged against; instants are milliseconds since 1970.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct Circumstances {
    /// The system's clock when absent.
    #[uniffi(default = None)]
    pub now: Option<i64>,
    /// The product's version, such as `2.4.1`.
    #[uniffi(default = None)]
    pub version: Option<String>,
    /// When that version was released.
    #[uniffi(default = None)]
    pub released_at: Option<i64>,
    /// The device's public key, as text; only a verdict looks at it.
    #[uniffi(default = None)]
    pub device: Option<String>,
    /// The device's activation in any text form; only a verdict looks at it.
    #[uniffi(default = None)]
    pub activation: Option<String>,
    /// The newest lease of the activation's seat; only a verdict looks at it.
    #[uniffi(default = None)]
    pub lease: Option<String>,
    /// Key sets, older ones first; only a verdict looks at them.
    #[uniffi(default = [])]
    pub key_sets: Vec<String>,
    /// Revocation lists; only a verdict looks at them.
    #[uniffi(default = [])]
    pub revocations: Vec<String>,
}

impl Circumstances {
    fn facts(&self) -> Result<Facts, MintreuError> {
        Ok(Facts {
            version: self.version.as_deref().map(str::parse).transpose()?,
            released_at: self.released_at.map(Timestamp::from_ms),
            ..Facts::at(instant(self.now))
        })
    }
}

/// What a license comes to here and now.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Verdict {
    /// Stable, the same in every language.
    pub code: String,
    /// Whether the product may run.
    pub allowed: bool,
    /// One sentence to show.
    pub sentence: String,
    /// The first instant at which the verdict may change.
    pub changes_at: Option<i64>,
}

impl From<license::Verdict> for Verdict {
    fn from(verdict: license::Verdict) -> Self {
        Self {
            code: verdict.code().to_owned(),
            allowed: verdict.is_allowed(),
            sentence: verdict.sentence().to_owned(),
            changes_at: verdict.changes_at().map(Timestamp::ms),
        }
    }
}

/// What an entitlement gives.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Grant {
    /// The feature is there.
    Granted,
    /// So many.
    Limit {
        /// How many.
        units: u64,
    },
    /// A fixed text.
    Value {
        /// The text.
        text: String,
    },
}

impl From<&Entitlement> for Grant {
    fn from(entitlement: &Entitlement) -> Self {
        match entitlement {
            Entitlement::Granted => Self::Granted,
            Entitlement::Limit(units) => Self::Limit { units: *units },
            Entitlement::Value(text) => Self::Value { text: text.clone() },
        }
    }
}

/// How much of a meter a license allows.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Quota {
    /// Units in one window; absent without a limit.
    pub limit: Option<u64>,
    /// `lifetime`, `month`, `week`, `day` or `hour`.
    pub window: String,
    /// Whether each device has the whole limit.
    pub per_device: bool,
    /// Whether more than the limit may be used, and is billed.
    pub overage: bool,
}

impl From<&QuotaClaim> for Quota {
    fn from(quota: &QuotaClaim) -> Self {
        Self {
            limit: quota.limit,
            window: quota.window.name().to_owned(),
            per_device: quota.per_device,
            overage: quota.overage,
        }
    }
}

/// A license whose signatures hold up to a pinned root; instants are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
#[expect(missing_docs, reason = "the fields are the claims of the same names")]
pub struct License {
    pub id: String,
    pub product: String,
    pub edition: Option<String>,
    pub customer: Option<String>,
    pub issued_at: i64,
    pub not_before: Option<i64>,
    pub expires_at: Option<i64>,
    pub updates_until: Option<i64>,
    pub trial: bool,
    pub seats: Option<u32>,
    pub entitlements: HashMap<String, Grant>,
    pub quotas: HashMap<String, Quota>,
    pub verdict: Verdict,
}

impl License {
    fn new(claims: &Claims, verdict: license::Verdict) -> Self {
        let entitlements = claims.entitlements.iter();
        let quotas = claims.quotas.iter();
        Self {
            id: claims.id.to_string(),
            product: claims.product.clone(),
            edition: claims.edition.clone(),
            customer: claims.customer.clone(),
            issued_at: claims.issued_at.ms(),
            not_before: claims.not_before.map(Timestamp::ms),
            expires_at: claims.expires_at.map(Timestamp::ms),
            updates_until: claims.updates_until.map(Timestamp::ms),
            trial: claims.trial,
            seats: claims.seats,
            entitlements: entitlements
                .map(|(name, of)| (name.to_string(), of.into()))
                .collect(),
            quotas: quotas
                .map(|(name, of)| (name.to_string(), of.into()))
                .collect(),
            verdict: verdict.into(),
        }
    }
}

/// Verifies a license in any of its text forms; its `verdict` says whether it holds now.
#[uniffi::export]
pub fn verify(
    text: &str,
    trust: &str,
    circumstances: &Circumstances,
) -> Result<License, MintreuError> {
    let verified = license::verify(&from_text(text)?, &Trust::parse(trust)?)?;
    let verdict = license::judge(&verified, &circumstances.facts()?);
    Ok(License::new(verified.claims(), verdict))
}

/// The verdict on a license and a device's activation, without failing for what doesn't verify.
#[uniffi::export]
pub fn verdict(
    text: &str,
    trust: &str,
    circumstances: &Circumstances,
) -> Result<Verdict, MintreuError> {
    let device = circumstances.device.as_deref();
    let presented = Presented {
        license: text,
        activation: circumstances.activation.as_deref(),
        lease: circumstances.lease.as_deref(),
        device: device.map(str::parse).transpose()?,
        key_sets: &texts(&circumstances.key_sets),
        revocations: &texts(&circumstances.revocations),
        ..Presented::default()
    };
    let facts = circumstances.facts()?;
    Ok(judge_texts(&presented, &Trust::parse(trust)?, &facts).into())
}

fn texts(given: &[String]) -> Vec<&str> {
    given.iter().map(String::as_str).collect()
}

/// The product a trust is for: a check of the constant in a program's own tests.
#[uniffi::export]
pub fn trust_product(trust: &str) -> Result<Option<String>, MintreuError> {
    Ok(Trust::parse(trust)?.product().map(str::to_owned))
}

/// A redeem code as it is stored: capitals, no dashes; fails with `code_mistyped` for a typo.
#[uniffi::export]
pub fn redeem_code(typed: &str) -> Result<String, MintreuError> {
    Ok(typed.parse::<RedeemCode>()?.canonical())
}
