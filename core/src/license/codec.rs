//! License claims as CBOR. Labels are append-only: `docs/license-document.md` lists them.

use super::{
    Binding, Claims, Entitlement, Freshness, ListEntry, Matching, Name, OnExpiry, QuotaClaim,
    StaleAction, Version, VersionRange,
};
use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, CONFIRMATION, DOCUMENT_ID, EXPIRES, ISSUED_AT, NOT_BEFORE, PRIVATE, cose_key,
    key_from_cose, private_claims,
};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::time::Timestamp;

const EDITION: i64 = 1;
const ENTITLEMENTS: i64 = 2;
const QUOTAS: i64 = 3;
const SEATS: i64 = 4;
const ON_EXPIRY: i64 = 5;
const GRACE: i64 = 6;
const TRIAL: i64 = 7;
const VERSIONS: i64 = 8;
const UPDATES_UNTIL: i64 = 9;
const BINDING: i64 = 10;
const MATCHING: i64 = 11;
const SUPERSEDES: i64 = 12;
const CUSTOMER: i64 = 13;
const WARN: i64 = 14;
const SUSPECT: i64 = 15;
const STATUS: i64 = 16;
const FRESHNESS: i64 = 17;

const ON_EXPIRY_CODES: [OnExpiry; 3] = [OnExpiry::Restrict, OnExpiry::Maintain, OnExpiry::Allow];
const BINDING_CODES: [Binding; 3] = [Binding::None, Binding::NodeLocked, Binding::Floating];
const STALE_CODES: [StaleAction; 3] = [StaleAction::Ignore, StaleAction::Warn, StaleAction::Lock];
const MATCHING_CODES: [Matching; 5] = [
    Matching::Ignore,
    Matching::Any,
    Matching::Two,
    Matching::Most,
    Matching::All,
];

impl Claims {
    /// The claims in deterministic CBOR; `malformed` for claims no license may make.
    pub fn to_cbor(&self) -> Result<Vec<u8>> {
        self.check()?;
        let secs = |at: Option<Timestamp>| at.map(|at| Value::Int(at.secs()));
        cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (EXPIRES, secs(self.expires_at)),
            (NOT_BEFORE, secs(self.not_before)),
            (ISSUED_AT, secs(Some(self.issued_at))),
            (DOCUMENT_ID, Some(Value::bytes(self.id.as_bytes()))),
            (CONFIRMATION, self.device.as_ref().map(cose_key)),
            (PRIVATE, self.private()?),
        ]))
    }

    fn private(&self) -> Result<Option<Value<'_>>> {
        let text = |text: &'_ Option<String>| text.clone().map(|text| Value::Text(text.into()));
        let int = |number: Option<u32>| number.map(|number| Value::Int(i64::from(number)));
        let supersedes = self.supersedes.iter().map(|id| Value::bytes(id.as_bytes()));
        let private = Value::labelled([
            (EDITION, text(&self.edition)),
            (ENTITLEMENTS, self.entitlements()?),
            (QUOTAS, self.quotas()?),
            (SEATS, int(self.seats)),
            (ON_EXPIRY, code_of(self.on_expiry, &ON_EXPIRY_CODES)),
            (GRACE, int(Some(self.grace_secs).filter(|&secs| secs > 0))),
            (TRIAL, self.trial.then_some(Value::Bool(true))),
            (VERSIONS, versions(&self.versions)),
            (
                UPDATES_UNTIL,
                self.updates_until.map(|at| Value::Int(at.secs())),
            ),
            (BINDING, code_of(self.binding, &BINDING_CODES)),
            (MATCHING, code_of(self.matching, &MATCHING_CODES)),
            (SUPERSEDES, some_items(supersedes.collect())),
            (CUSTOMER, text(&self.customer)),
            (WARN, int(self.warn_secs)),
            (SUSPECT, int(self.suspect_secs)),
            (STATUS, self.status.map(status).transpose()?),
            (FRESHNESS, self.freshness.map(freshness)),
        ]);
        Ok(Some(private).filter(|private| *private != Value::Map(Vec::new())))
    }

    fn entitlements(&self) -> Result<Option<Value<'_>>> {
        let mut entries = Vec::with_capacity(self.entitlements.len());
        for (name, entitlement) in &self.entitlements {
            let value = match entitlement {
                Entitlement::Granted => Value::Bool(true),
                Entitlement::Limit(limit) => count(*limit)?,
                Entitlement::Value(value) => Value::text(value),
            };
            entries.push((name.to_value(), value));
        }
        Ok(some_entries(entries))
    }

    fn quotas(&self) -> Result<Option<Value<'_>>> {
        let mut entries = Vec::with_capacity(self.quotas.len());
        for (name, quota) in &self.quotas {
            entries.push((name.to_value(), quota.to_value()?));
        }
        Ok(some_entries(entries))
    }

    /// Reads verified claims: `malformed`, or `unsupported` when they need a newer version.
    pub(super) fn from_value(claims: &Value<'_>) -> Result<Self> {
        let secs = |label| claims.at(label).map(instant).transpose();
        let id = LicenseId::from_bytes(claims.need(DOCUMENT_ID, "license id")?.as_exact()?);
        let product = claims.need(AUDIENCE, "product")?.as_text()?;
        let issued_at = instant(claims.need(ISSUED_AT, "issued at")?)?;
        let mut license = Self::new(id, product, issued_at);
        license.not_before = secs(NOT_BEFORE)?;
        license.expires_at = secs(EXPIRES)?;
        license.device = claims.at(CONFIRMATION).map(key_from_cose).transpose()?;
        if let Some(private) = private_claims(claims)? {
            license.read_private(private)?;
        }
        license.check()?;
        Ok(license)
    }

    fn read_private(&mut self, private: &Value<'_>) -> Result<()> {
        let text = |label| {
            private
                .at(label)
                .map(|v| v.as_text().map(str::to_owned))
                .transpose()
        };
        let int = |label| private.at(label).map(u32_of).transpose();
        self.edition = text(EDITION)?;
        self.customer = text(CUSTOMER)?;
        self.seats = int(SEATS)?;
        self.grace_secs = int(GRACE)?.unwrap_or(0);
        self.warn_secs = int(WARN)?;
        self.suspect_secs = int(SUSPECT)?;
        self.trial = private
            .at(TRIAL)
            .map(Value::as_bool)
            .transpose()?
            .unwrap_or(false);
        self.updates_until = private.at(UPDATES_UNTIL).map(instant).transpose()?;
        self.on_expiry = coded(private.at(ON_EXPIRY), &ON_EXPIRY_CODES)?;
        self.binding = coded(private.at(BINDING), &BINDING_CODES)?;
        self.matching = coded(private.at(MATCHING), &MATCHING_CODES)?;
        self.status = private.at(STATUS).map(read_status).transpose()?;
        self.freshness = private.at(FRESHNESS).map(read_freshness).transpose()?;
        if let Some(range) = private.at(VERSIONS) {
            self.versions = read_versions(range)?;
        }
        for (name, value) in entries(private.at(ENTITLEMENTS))? {
            self.entitlements
                .insert(Name::from_value(name)?, read_entitlement(value)?);
        }
        for (name, value) in entries(private.at(QUOTAS))? {
            self.quotas
                .insert(Name::from_value(name)?, QuotaClaim::from_value(value)?);
        }
        if let Some(list) = private.at(SUPERSEDES) {
            let id = |value: &Value<'_>| value.as_exact().map(LicenseId::from_bytes);
            self.supersedes = list.as_array()?.iter().map(id).collect::<Result<_>>()?;
        }
        Ok(())
    }
}

pub(super) fn malformed(detail: &'static str) -> Error {
    Error::new("malformed", detail)
}

/// A setting that this version doesn't know changes what the license means: it is refused.
pub(super) fn unsupported() -> Error {
    Error::new(
        "unsupported",
        "the license needs a newer version of the product",
    )
}

/// An instant in whole seconds, within the years that a calendar can show.
pub(crate) fn instant(value: &Value<'_>) -> Result<Timestamp> {
    const YEAR_9999: i64 = 253_402_300_799;
    let secs = value.as_int()?;
    if !(0..=YEAR_9999).contains(&secs) {
        return Err(malformed("an instant is before 1970 or after 9999"));
    }
    Ok(Timestamp::from_secs(secs))
}

fn u32_of(value: &Value<'_>) -> Result<u32> {
    u32::try_from(value.as_int()?).map_err(|_| malformed("a number is out of range"))
}

pub(super) fn count<'a>(number: u64) -> Result<Value<'a>> {
    let number = i64::try_from(number).map_err(|_| malformed("a limit is out of range"))?;
    Ok(Value::Int(number))
}

fn some_items(items: Vec<Value<'_>>) -> Option<Value<'_>> {
    (!items.is_empty()).then_some(Value::Array(items))
}

fn some_entries<'a>(entries: Vec<(Value<'a>, Value<'a>)>) -> Option<Value<'a>> {
    (!entries.is_empty()).then_some(Value::Map(entries))
}

pub(super) fn entries<'v, 'a>(
    value: Option<&'v Value<'a>>,
) -> Result<&'v [(Value<'a>, Value<'a>)]> {
    value.map_or(Ok(&[]), Value::as_map)
}

/// The number of a setting; the first one is the default and is left out.
fn code_of<T: PartialEq>(setting: T, codes: &[T]) -> Option<Value<'static>> {
    let index = codes.iter().position(|code| *code == setting)?;
    (index > 0).then_some(Value::Int(index as i64))
}

fn coded<T: Copy>(value: Option<&Value<'_>>, codes: &[T]) -> Result<T> {
    let number = value.map_or(Ok(0), Value::as_count)?;
    let index = usize::try_from(number).map_err(|_| unsupported())?;
    codes.get(index).copied().ok_or_else(unsupported)
}

fn versions(range: &VersionRange) -> Option<Value<'static>> {
    let end = |version: Option<Version>| {
        version.map_or(Value::Null, |version| {
            Value::Text(version.to_string().into())
        })
    };
    (!range.is_open()).then(|| Value::Array(vec![end(range.from), end(range.below)]))
}

fn read_versions(value: &Value<'_>) -> Result<VersionRange> {
    let [from, below] = value.as_array()? else {
        return Err(malformed("a range of versions has two ends"));
    };
    let end = |value: &Value<'_>| match value {
        Value::Null => Ok(None),
        other => other.as_text()?.parse().map(Some),
    };
    Ok(VersionRange {
        from: end(from)?,
        below: end(below)?,
    })
}

fn status(entry: ListEntry) -> Result<Value<'static>> {
    let list = count(entry.list)?;
    Ok(Value::Array(vec![list, Value::Int(i64::from(entry.index))]))
}

fn read_status(value: &Value<'_>) -> Result<ListEntry> {
    let [list, index] = value.as_array()? else {
        return Err(malformed("a status is a list and a place in it"));
    };
    Ok(ListEntry {
        list: list.as_count()?,
        index: u32_of(index)?,
    })
}

fn freshness(rule: Freshness) -> Value<'static> {
    let action = code_of(rule.action, &STALE_CODES).unwrap_or(Value::Int(0));
    let secs = |secs: u32| Value::Int(i64::from(secs));
    Value::Array(vec![secs(rule.max_age_secs), action, secs(rule.grace_secs)])
}

fn read_freshness(value: &Value<'_>) -> Result<Freshness> {
    let [max_age, action, grace] = value.as_array()? else {
        return Err(malformed("freshness is an age, an action and a grace"));
    };
    Ok(Freshness {
        max_age_secs: u32_of(max_age)?,
        action: coded(Some(action), &STALE_CODES)?,
        grace_secs: u32_of(grace)?,
    })
}

fn read_entitlement(value: &Value<'_>) -> Result<Entitlement> {
    match value {
        Value::Bool(true) => Ok(Entitlement::Granted),
        Value::Text(text) => Ok(Entitlement::Value(text.to_string())),
        other => other.as_count().map(Entitlement::Limit),
    }
}

#[cfg(test)]
mod tests;
