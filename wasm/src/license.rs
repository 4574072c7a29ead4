//! Licenses: verified, judged, and laid out as JavaScript sees them.

use std::collections::BTreeMap;

use js_sys::Reflect;
use mintreu::document::from_text;
use mintreu::license::{self, Claims, Entitlement, Facts, Name, QuotaClaim, Trust, Verdict};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::object::{instant, limit, now, object, text, thrown};

#[wasm_bindgen]
extern "C" {
    /// What a license is judged against: `{ now, version, releasedAt }`.
    #[wasm_bindgen(typescript_type = "Circumstances")]
    pub type Circumstances;
}

/// Verifies a license in any of its text forms; its `verdict` says whether it holds now.
///
/// Throws with the verdict's code where the signatures don't hold up to the pinned root.
#[wasm_bindgen(unchecked_return_type = "License")]
pub fn verify(
    license: &str,
    trust: &str,
    circumstances: Option<Circumstances>,
) -> Result<JsValue, JsValue> {
    let facts = facts(circumstances)?;
    let trust = Trust::parse(trust).map_err(thrown)?;
    let bundle = from_text(license).map_err(thrown)?;
    let verified = license::verify(&bundle, &trust).map_err(thrown)?;
    let verdict = license::judge(&verified, &facts);
    Ok(claims(verified.claims(), &verdict))
}

/// The verdict on a license, without throwing for one that doesn't verify.
#[wasm_bindgen(unchecked_return_type = "Verdict")]
pub fn verdict(
    license: &str,
    trust: &str,
    circumstances: Option<Circumstances>,
) -> Result<JsValue, JsValue> {
    let facts = facts(circumstances)?;
    let trust = Trust::parse(trust).map_err(thrown)?;
    Ok(judged(&license::verify_text(license, &trust, &facts)))
}

fn facts(circumstances: Option<Circumstances>) -> Result<Facts, JsValue> {
    let Some(given) = circumstances else {
        return Ok(Facts::at(now(None)?));
    };
    let field = |name: &str| Reflect::get(&given, &name.into());
    let version = field("version")?.as_string();
    let version = version.map(|text| text.parse().map_err(thrown));
    let released_at = field("releasedAt")?.as_f64();
    Ok(Facts {
        version: version.transpose()?,
        released_at: released_at.map(|at| now(Some(at))).transpose()?,
        ..Facts::at(now(field("now")?.as_f64())?)
    })
}

fn judged(verdict: &Verdict) -> JsValue {
    object(&[
        ("code", verdict.code().into()),
        ("allowed", verdict.is_allowed().into()),
        ("sentence", verdict.sentence().into()),
        ("changesAt", instant(verdict.changes_at())),
    ])
}

fn claims(claims: &Claims, verdict: &Verdict) -> JsValue {
    object(&[
        ("id", claims.id.to_string().into()),
        ("product", claims.product.as_str().into()),
        ("edition", text(claims.edition.as_deref())),
        ("customer", text(claims.customer.as_deref())),
        ("issuedAt", instant(Some(claims.issued_at))),
        ("notBefore", instant(claims.not_before)),
        ("expiresAt", instant(claims.expires_at)),
        ("updatesUntil", instant(claims.updates_until)),
        ("trial", claims.trial.into()),
        ("seats", claims.seats.map_or(JsValue::NULL, JsValue::from)),
        ("entitlements", named(&claims.entitlements, entitlement)),
        ("quotas", named(&claims.quotas, quota)),
        ("verdict", judged(verdict)),
    ])
}

fn named<A>(map: &BTreeMap<Name, A>, value: fn(&A) -> JsValue) -> JsValue {
    let names: Vec<String> = map.keys().map(Name::to_string).collect();
    let values = map.values().map(value);
    let fields: Vec<_> = names.iter().map(String::as_str).zip(values).collect();
    object(&fields)
}

fn entitlement(entitlement: &Entitlement) -> JsValue {
    match entitlement {
        Entitlement::Granted => JsValue::TRUE,
        Entitlement::Limit(units) => limit(*units),
        Entitlement::Value(value) => value.into(),
    }
}

fn quota(quota: &QuotaClaim) -> JsValue {
    object(&[
        ("limit", quota.limit.map_or(JsValue::NULL, limit)),
        ("window", quota.window.name().into()),
        ("perDevice", quota.per_device.into()),
        ("overage", quota.overage.into()),
    ])
}
