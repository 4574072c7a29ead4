//! Licenses: verified, judged, and laid out as Python sees them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use mintreu::activation::{Presented, RedeemCode, judge_texts};
use mintreu::document::from_text;
use mintreu::license::{self, Claims, Entitlement, Facts, QuotaClaim, Trust};
use mintreu::{Clock as _, SystemClock};
use pyo3::prelude::*;

use crate::host::Fingerprint;
use crate::value::{Moment, datetime, raised};

/// What a license comes to here and now.
#[pyclass(frozen, get_all, module = "mintreu")]
#[derive(Clone)]
pub struct Verdict {
    code: &'static str,
    allowed: bool,
    sentence: String,
    changes_at: Option<SystemTime>,
}

impl From<license::Verdict> for Verdict {
    fn from(verdict: license::Verdict) -> Self {
        Self {
            code: verdict.code(),
            allowed: verdict.is_allowed(),
            sentence: verdict.sentence().to_owned(),
            changes_at: verdict.changes_at().map(datetime),
        }
    }
}

#[pymethods]
impl Verdict {
    fn __repr__(&self) -> String {
        let allowed = if self.allowed { "allowed" } else { "refused" };
        format!("<Verdict {} {allowed}: {}>", self.code, self.sentence)
    }

    fn __bool__(&self) -> bool {
        self.allowed
    }
}

/// How much of a meter a license allows.
#[pyclass(frozen, get_all, module = "mintreu")]
#[derive(Clone)]
pub struct Quota {
    limit: Option<u64>,
    window: &'static str,
    per_device: bool,
    overage: bool,
}

impl From<&QuotaClaim> for Quota {
    fn from(quota: &QuotaClaim) -> Self {
        Self {
            limit: quota.limit,
            window: quota.window.name(),
            per_device: quota.per_device,
            overage: quota.overage,
        }
    }
}

/// An entitlement: `True`, a number or a text.
#[derive(Clone, IntoPyObject)]
pub enum Grant {
    Granted(bool),
    Limit(u64),
    Value(String),
}

impl From<&Entitlement> for Grant {
    fn from(entitlement: &Entitlement) -> Self {
        match entitlement {
            Entitlement::Granted => Self::Granted(true),
            Entitlement::Limit(limit) => Self::Limit(*limit),
            Entitlement::Value(value) => Self::Value(value.clone()),
        }
    }
}

/// A license whose signatures hold up to a pinned root.
#[pyclass(frozen, get_all, module = "mintreu")]
pub struct License {
    id: String,
    product: String,
    edition: Option<String>,
    customer: Option<String>,
    issued_at: SystemTime,
    not_before: Option<SystemTime>,
    expires_at: Option<SystemTime>,
    updates_until: Option<SystemTime>,
    trial: bool,
    seats: Option<u32>,
    entitlements: BTreeMap<String, Grant>,
    quotas: BTreeMap<String, Quota>,
    verdict: Verdict,
}

impl License {
    fn new(claims: &Claims, verdict: license::Verdict) -> Self {
        Self {
            id: claims.id.to_string(),
            product: claims.product.clone(),
            edition: claims.edition.clone(),
            customer: claims.customer.clone(),
            issued_at: datetime(claims.issued_at),
            not_before: claims.not_before.map(datetime),
            expires_at: claims.expires_at.map(datetime),
            updates_until: claims.updates_until.map(datetime),
            trial: claims.trial,
            seats: claims.seats,
            entitlements: named(&claims.entitlements),
            quotas: named(&claims.quotas),
            verdict: verdict.into(),
        }
    }
}

#[pymethods]
impl License {
    fn __repr__(&self) -> String {
        format!(
            "<License {} for {}: {}>",
            self.id, self.product, self.verdict.code
        )
    }
}

fn named<'a, A: 'a, B: From<&'a A>>(map: &'a BTreeMap<license::Name, A>) -> BTreeMap<String, B> {
    map.iter()
        .map(|(name, value)| (name.to_string(), value.into()))
        .collect()
}

fn facts(
    now: Option<Moment>,
    version: Option<&str>,
    released_at: Option<Moment>,
) -> mintreu::Result<Facts> {
    Ok(Facts {
        version: version.map(str::parse).transpose()?,
        released_at: released_at.map(|at| at.0),
        ..Facts::at(now.map_or_else(|| SystemClock.now(), |at| at.0))
    })
}

/// Verifies a license in any of its text forms; `verdict` on it says whether it holds now.
#[pyfunction]
#[pyo3(signature = (text, trust, now=None, *, version=None, released_at=None))]
pub fn verify(
    py: Python<'_>,
    text: &str,
    trust: &str,
    now: Option<Moment>,
    version: Option<&str>,
    released_at: Option<Moment>,
) -> PyResult<License> {
    let verified = py.detach(|| {
        let trust = Trust::parse(trust)?;
        let license = license::verify(&from_text(text)?, &trust)?;
        let verdict = license::judge(&license, &facts(now, version, released_at)?);
        Ok(License::new(license.claims(), verdict))
    });
    verified.map_err(raised)
}

/// The verdict on a license and a device's activation, without raising for what doesn't verify.
#[pyfunction]
#[pyo3(signature = (
    text, trust, now=None, *, version=None, released_at=None, device=None, activation=None,
    lease=None, fingerprint=None, key_sets=Vec::new(), revocations=Vec::new()
))]
#[expect(clippy::too_many_arguments, reason = "Python passes them by keyword")]
pub fn verdict(
    py: Python<'_>,
    text: &str,
    trust: &str,
    now: Option<Moment>,
    version: Option<&str>,
    released_at: Option<Moment>,
    device: Option<&str>,
    activation: Option<&str>,
    lease: Option<&str>,
    fingerprint: Option<&Bound<'_, Fingerprint>>,
    key_sets: Vec<String>,
    revocations: Vec<String>,
) -> PyResult<Verdict> {
    let fingerprint = fingerprint.map(|known| known.get().inner.clone());
    let judged = py.detach(|| {
        let trust = Trust::parse(trust)?;
        let facts = facts(now, version, released_at)?;
        let presented = Presented {
            license: text,
            activation,
            lease,
            device: device.map(str::parse).transpose()?,
            fingerprint: fingerprint.unwrap_or_default(),
            key_sets: &texts(&key_sets),
            revocations: &texts(&revocations),
        };
        Ok(judge_texts(&presented, &trust, &facts).into())
    });
    judged.map_err(raised)
}

fn texts(given: &[String]) -> Vec<&str> {
    given.iter().map(String::as_str).collect()
}

/// The product a trust is for: a check of the constant in a program's own tests.
#[pyfunction]
pub fn trust_product(trust: &str) -> PyResult<Option<String>> {
    let trust = Trust::parse(trust).map_err(raised)?;
    Ok(trust.product().map(str::to_owned))
}

/// A redeem code as it is stored: capitals, no dashes; raises `code_mistyped` for a typo.
#[pyfunction]
pub fn redeem_code(typed: &str) -> PyResult<String> {
    let code: RedeemCode = typed.parse().map_err(raised)?;
    Ok(code.canonical())
}
