//! Licenses: verified, judged, and laid out as JavaScript sees them.

use std::collections::BTreeMap;

use js_sys::{Array, Reflect};

use mintreu::Error;
use mintreu::activation::{Presented, RedeemCode, judge_texts};
use mintreu::document::from_text;
use mintreu::license::{self, Claims, Entitlement, Facts, Name, QuotaClaim, Trust, Verdict};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::object::{instant, limit, now, object, text, thrown};

#[wasm_bindgen]
extern "C" {
    /// What a license is judged against; a verdict also looks at what the device holds.
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
    let facts = facts(circumstances.as_ref())?;
    let trust = Trust::parse(trust).map_err(thrown)?;
    let bundle = from_text(license).map_err(thrown)?;
    let verified = license::verify(&bundle, &trust).map_err(thrown)?;
    let verdict = license::judge(&verified, &facts);
    Ok(claims(verified.claims(), &verdict))
}

/// The verdict on a license and a device's activation, without throwing for what doesn't verify.
#[wasm_bindgen(unchecked_return_type = "Verdict")]
pub fn verdict(
    license: &str,
    trust: &str,
    circumstances: Option<Circumstances>,
) -> Result<JsValue, JsValue> {
    let facts = facts(circumstances.as_ref())?;
    let given = |name| field(circumstances.as_ref(), name);
    let (activation, lease) = (
        given("activation")?.as_string(),
        given("lease")?.as_string(),
    );
    let (key_sets, revocations) = (texts(&given("keySets")?)?, texts(&given("revocations")?)?);
    let device = given("device")?.as_string();
    let device = device.map(|key| key.parse().map_err(thrown));
    let presented = Presented {
        license,
        activation: activation.as_deref(),
        lease: lease.as_deref(),
        device: device.transpose()?,
        key_sets: &borrowed(&key_sets),
        revocations: &borrowed(&revocations),
        ..Presented::default()
    };
    let trust = Trust::parse(trust).map_err(thrown)?;
    Ok(judged(&judge_texts(&presented, &trust, &facts)))
}

/// The texts of an array; none when nothing was given.
fn texts(given: &JsValue) -> Result<Vec<String>, JsValue> {
    if given.is_undefined() || given.is_null() {
        return Ok(Vec::new());
    }
    let invalid = || Error::new("texts_invalid", "key sets and lists are arrays of texts");
    let array = given.dyn_ref::<Array>().ok_or_else(|| thrown(invalid()))?;
    let text = |item: JsValue| item.as_string().ok_or_else(|| thrown(invalid()));
    array.iter().map(text).collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// The product a trust is for: a check of the constant in a program's own tests.
#[wasm_bindgen(js_name = trustProduct)]
pub fn trust_product(trust: &str) -> Result<Option<String>, JsValue> {
    let trust = Trust::parse(trust).map_err(thrown)?;
    Ok(trust.product().map(str::to_owned))
}

/// A redeem code as it is stored: capitals, no dashes; throws `code_mistyped` for a typo.
#[wasm_bindgen(js_name = redeemCode)]
pub fn redeem_code(typed: &str) -> Result<String, JsValue> {
    let code: RedeemCode = typed.parse().map_err(thrown)?;
    Ok(code.canonical())
}

/// One field of what the caller gave; `undefined` when nothing was given.
fn field(given: Option<&Circumstances>, name: &str) -> Result<JsValue, JsValue> {
    given.map_or(Ok(JsValue::UNDEFINED), |given| {
        Reflect::get(given, &name.into())
    })
}

fn facts(given: Option<&Circumstances>) -> Result<Facts, JsValue> {
    let version = field(given, "version")?.as_string();
    let version = version.map(|text| text.parse().map_err(thrown));
    let released_at = field(given, "releasedAt")?.as_f64();
    Ok(Facts {
        version: version.transpose()?,
        released_at: released_at.map(|at| now(Some(at))).transpose()?,
        ..Facts::at(now(field(given, "now")?.as_f64())?)
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
