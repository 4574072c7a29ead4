//! Licenses: verified, judged, and laid out as JavaScript sees them.

use std::collections::HashMap;

use mintreu::activation::{Presented, RedeemCode, judge_texts};
use mintreu::document::from_text;
use mintreu::license::{self, Claims, Entitlement, Facts, QuotaClaim, Trust};
use napi::bindgen_prelude::{ClassInstance, Either3};
use napi_derive::napi;

use crate::host::Fingerprint;
use crate::value::{Thrown, instant, ms, thrown};

/// What a license is judged against.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct Circumstances<'a> {
    pub now: Option<f64>,
    pub version: Option<String>,
    pub released_at: Option<f64>,
    pub device: Option<String>,
    pub activation: Option<String>,
    pub lease: Option<String>,
    pub fingerprint: Option<ClassInstance<'a, Fingerprint>>,
    pub key_sets: Option<Vec<String>>,
    pub revocations: Option<Vec<String>>,
}

impl Circumstances<'_> {
    fn facts(&self) -> Result<Facts, Thrown> {
        let version = self
            .version
            .as_deref()
            .map(|text| text.parse().map_err(thrown));
        Ok(Facts {
            version: version.transpose()?,
            released_at: self.released_at.map(|at| instant(Some(at))).transpose()?,
            ..Facts::at(instant(self.now)?)
        })
    }
}

/// What a license comes to here and now.
#[napi(object, use_nullable = true)]
pub struct Verdict {
    pub code: String,
    pub allowed: bool,
    pub sentence: String,
    pub changes_at: Option<f64>,
}

impl From<license::Verdict> for Verdict {
    fn from(verdict: license::Verdict) -> Self {
        Self {
            code: verdict.code().to_owned(),
            allowed: verdict.is_allowed(),
            sentence: verdict.sentence().to_owned(),
            changes_at: verdict.changes_at().map(ms),
        }
    }
}

/// How much of a meter a license allows.
#[napi(object, use_nullable = true)]
pub struct Quota {
    pub limit: Option<f64>,
    pub window: String,
    pub per_device: bool,
    pub overage: bool,
}

impl From<&QuotaClaim> for Quota {
    fn from(quota: &QuotaClaim) -> Self {
        Self {
            limit: quota.limit.map(|units| units as f64),
            window: quota.window.name().to_owned(),
            per_device: quota.per_device,
            overage: quota.overage,
        }
    }
}

/// `true`, a number or a text.
pub type Grant = Either3<bool, f64, String>;

pub fn grant(entitlement: &Entitlement) -> Grant {
    match entitlement {
        Entitlement::Granted => Either3::A(true),
        Entitlement::Limit(limit) => Either3::B(*limit as f64),
        Entitlement::Value(value) => Either3::C(value.clone()),
    }
}

/// A license whose signatures hold up to a pinned root.
#[napi(object, use_nullable = true)]
pub struct License {
    pub id: String,
    pub product: String,
    pub edition: Option<String>,
    pub customer: Option<String>,
    pub issued_at: f64,
    pub not_before: Option<f64>,
    pub expires_at: Option<f64>,
    pub updates_until: Option<f64>,
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
            issued_at: ms(claims.issued_at),
            not_before: claims.not_before.map(ms),
            expires_at: claims.expires_at.map(ms),
            updates_until: claims.updates_until.map(ms),
            trial: claims.trial,
            seats: claims.seats,
            entitlements: entitlements
                .map(|(name, of)| (name.to_string(), grant(of)))
                .collect(),
            quotas: quotas
                .map(|(name, of)| (name.to_string(), of.into()))
                .collect(),
            verdict: verdict.into(),
        }
    }
}

/// Verifies a license in any of its text forms; its `verdict` says whether it holds now.
#[napi]
pub fn verify(
    license: String,
    trust: String,
    circumstances: Option<Circumstances<'_>>,
) -> Result<License, Thrown> {
    let facts = circumstances.unwrap_or_default().facts()?;
    let trust = Trust::parse(&trust).map_err(thrown)?;
    let bundle = from_text(&license).map_err(thrown)?;
    let verified = license::verify(&bundle, &trust).map_err(thrown)?;
    let verdict = license::judge(&verified, &facts);
    Ok(License::new(verified.claims(), verdict))
}

/// The verdict on a license and a device's activation, without throwing for what doesn't verify.
#[napi]
pub fn verdict(
    license: String,
    trust: String,
    circumstances: Option<Circumstances<'_>>,
) -> Result<Verdict, Thrown> {
    let circumstances = circumstances.unwrap_or_default();
    let device = circumstances
        .device
        .as_deref()
        .map(|key| key.parse().map_err(thrown));
    let presented = Presented {
        license: &license,
        activation: circumstances.activation.as_deref(),
        lease: circumstances.lease.as_deref(),
        device: device.transpose()?,
        fingerprint: circumstances
            .fingerprint
            .as_ref()
            .map(|known| known.inner.clone())
            .unwrap_or_default(),
        key_sets: &texts(circumstances.key_sets.as_deref()),
        revocations: &texts(circumstances.revocations.as_deref()),
    };
    let trust = Trust::parse(&trust).map_err(thrown)?;
    Ok(judge_texts(&presented, &trust, &circumstances.facts()?).into())
}

fn texts(given: Option<&[String]>) -> Vec<&str> {
    let given = given.unwrap_or_default();
    given.iter().map(String::as_str).collect()
}

/// The product a trust is for: a check of the constant in a program's own tests.
#[napi]
pub fn trust_product(trust: String) -> Result<Option<String>, Thrown> {
    let trust = Trust::parse(&trust).map_err(thrown)?;
    Ok(trust.product().map(str::to_owned))
}

/// A redeem code as it is stored: capitals, no dashes; throws `code_mistyped` for a typo.
#[napi]
pub fn redeem_code(typed: String) -> Result<String, Thrown> {
    let code: RedeemCode = typed.parse().map_err(thrown)?;
    Ok(code.canonical())
}
