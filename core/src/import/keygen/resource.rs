//! What the JSON inside says.

use serde_json::Value;

use super::envelope::{Form, malformed};
use crate::error::{Error, Result};
use crate::import::instant;
use crate::license::OnExpiry;
use crate::time::Timestamp;

/// A license as Keygen sold it. What the text didn't include is absent, which a check-out with
/// `include` of entitlements, product and policy avoids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// Keygen's id of it.
    pub id: String,
    /// The license key; absent in a signed key, which is the key itself.
    pub key: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it ends; never when absent.
    pub expires_at: Option<Timestamp>,
    /// What the end means, by its policy.
    pub on_expiry: Option<OnExpiry>,
    /// Whether it was suspended when this was written.
    pub suspended: bool,
    /// Codes of its entitlements.
    pub entitlements: Vec<String>,
    /// How many machines; no bound when absent.
    pub max_machines: Option<u32>,
    /// Whether more than one machine may use it; absent in a signed key.
    pub floating: Option<bool>,
    /// Whether machines must keep saying that they are there.
    pub heartbeat: bool,
    /// How often it was used.
    pub uses: u64,
    /// How often it may be used; no bound when absent.
    pub max_uses: Option<u64>,
    /// Id of its product.
    pub product_id: Option<String>,
    /// Id of its policy.
    pub policy_id: Option<String>,
    /// Name of its policy.
    pub policy_name: Option<String>,
    /// The machine's fingerprint, in a machine file.
    pub fingerprint: Option<String>,
    /// Its metadata, as JSON.
    pub metadata: String,
}

/// Reads the usual content of a signed key.
pub(super) fn from_key(payload: &[u8]) -> Result<License> {
    let unknown = || {
        let detail = "the signed key's content is its vendor's own; read Signed::payload instead";
        Error::new("payload_unknown", detail)
    };
    let json: Value = serde_json::from_slice(payload).map_err(|_| unknown())?;
    let license = &json["license"];
    let id = license["id"].as_str().ok_or_else(unknown)?;
    Ok(License {
        id: id.to_owned(),
        key: None,
        name: None,
        created_at: instant(&license["created"])?,
        expires_at: instant(license.get("expiry").ok_or_else(unknown)?)?,
        on_expiry: None,
        suspended: false,
        entitlements: Vec::new(),
        max_machines: None,
        floating: None,
        heartbeat: false,
        uses: 0,
        max_uses: None,
        product_id: text(&json["product"]["id"])?,
        policy_id: text(&json["policy"]["id"])?,
        policy_name: None,
        fingerprint: None,
        metadata: "{}".to_owned(),
    })
}

/// Reads the JSON:API document of a file.
pub(super) fn from_file(form: Form, document: &Value) -> Result<License> {
    let data = &document["data"];
    let (resource, fingerprint) = match (form, data["type"].as_str()) {
        (Form::LicenseFile, Some("licenses")) => (data, None),
        (Form::MachineFile, Some("machines")) => {
            let fingerprint = text(&data["attributes"]["fingerprint"])?;
            (
                license_of(document)?,
                Some(fingerprint.ok_or_else(malformed)?),
            )
        }
        _ => return Err(malformed()),
    };
    let related = |name: &str| text(&resource["relationships"][name]["data"]["id"]);
    let attributes = &resource["attributes"];
    let policy_id = related("policy")?;
    let policy = included(document, "policies")
        .find(|policy| policy_id.is_some() && policy["id"].as_str() == policy_id.as_deref())
        .map_or(&Value::Null, |policy| &policy["attributes"]);
    Ok(License {
        id: text(&resource["id"])?.ok_or_else(malformed)?,
        key: text(&attributes["key"])?,
        name: text(&attributes["name"])?,
        created_at: instant(&attributes["created"])?,
        expires_at: dated(attributes)?,
        on_expiry: on_expiry(policy),
        suspended: attributes["suspended"] == Value::Bool(true),
        entitlements: included(document, "entitlements")
            .map(|entitlement| text(&entitlement["attributes"]["code"])?.ok_or_else(malformed))
            .collect::<Result<_>>()?,
        max_machines: count(&attributes["maxMachines"])?
            .map(|most| u32::try_from(most).map_err(|_| malformed()))
            .transpose()?,
        floating: attributes["floating"].as_bool(),
        heartbeat: attributes["requireHeartbeat"] == Value::Bool(true),
        uses: count(&attributes["uses"])?.unwrap_or(0),
        max_uses: count(&attributes["maxUses"])?,
        product_id: related("product")?,
        policy_id,
        policy_name: text(&policy["name"])?,
        fingerprint,
        metadata: match &attributes["metadata"] {
            Value::Null => "{}".to_owned(),
            metadata => metadata.to_string(),
        },
    })
}

/// The license of a machine file. Without it the end would be unknown, and reading that as "never"
/// would give away what was not sold.
fn license_of(document: &Value) -> Result<&Value> {
    let id = &document["data"]["relationships"]["license"]["data"]["id"];
    included(document, "licenses")
        .find(|license| id.is_string() && license["id"] == *id)
        .ok_or_else(|| {
            let detail =
                "the machine file is without its license; check it out with include=license";
            Error::new("license_missing", detail)
        })
}

fn included<'v>(document: &'v Value, kind: &'static str) -> impl Iterator<Item = &'v Value> {
    let all = document["included"].as_array().into_iter().flatten();
    all.filter(move |resource| resource["type"] == *kind)
}

/// The end must be stated, if only as `null`: an absent one is no "never".
fn dated(attributes: &Value) -> Result<Option<Timestamp>> {
    instant(attributes.get("expiry").ok_or_else(malformed)?)
}

fn on_expiry(policy: &Value) -> Option<OnExpiry> {
    match policy["expirationStrategy"].as_str()? {
        "MAINTAIN_ACCESS" => Some(OnExpiry::Maintain),
        "ALLOW_ACCESS" => Some(OnExpiry::Allow),
        _ => Some(OnExpiry::Restrict),
    }
}

fn text(value: &Value) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(malformed()),
    }
}

fn count(value: &Value) -> Result<Option<u64>> {
    match value {
        Value::Null => Ok(None),
        _ => value.as_u64().map(Some).ok_or_else(malformed),
    }
}

pub(super) fn instant(value: &Value) -> Result<Option<Timestamp>> {
    text(value)?
        .map(|text| instant::parse(&text).ok_or_else(malformed))
        .transpose()
}
