//! Key sets: what a root says about keys after the product was built.

use super::Products;
use super::codec::instant;
use super::name::check_name;
use crate::document::cbor::{self, Value};
use crate::document::{
    ISSUED_AT, Kind, PRIVATE, PublicKey, SigningKey, open, open_by, private_claims, seal,
    unverified,
};
use crate::error::{Error, Result};
use crate::time::Timestamp;

const VERSION: i64 = 1;
const CERTIFICATES: i64 = 2;
const REVOKED: i64 = 3;
const ROOTS: i64 = 4;
const ENDORSEMENTS: i64 = 5;
const SUNSET: i64 = 6;
const LICENSES: i64 = 7;
const PREVIOUS: i64 = 8;

/// The most certificates of one set.
const MAX_CERTIFICATES: usize = 256;
/// The most revoked keys, and the most licenses that travel along.
const MAX_LISTED: usize = 1024;

/// Keys added and revoked by a root. Each set says everything; the newest takes the place of all
/// before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// Its number, from 1; only rises.
    pub version: u64,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Certificates that roots signed: documents without certificates are tried under them too.
    pub certificates: Vec<Vec<u8>>,
    /// Keys that are revoked totally.
    pub revoked: Vec<RevokedKey>,
    /// The root keys that hold from now on, the spare second; the same as before when empty.
    pub roots: Vec<PublicKey>,
    /// Consent of new roots, made with [`KeySet::endorse`].
    pub endorsements: Vec<Vec<u8>>,
    /// Products whose licenses are set free.
    pub sunset: Option<Products>,
    /// Licenses signed again with another key, as bundles.
    pub licenses: Vec<Vec<u8>>,
    /// The set that last changed the roots, so that products that pin older ones can follow.
    pub previous: Option<Vec<u8>>,
}

/// A key that is not to be believed, whatever instant of issue is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedKey {
    /// The key.
    pub key: PublicKey,
    /// From when nothing that it signed holds any more.
    pub from: Timestamp,
}

fn malformed(detail: &'static str) -> Error {
    Error::new("malformed", detail)
}

impl KeySet {
    /// A set that says nothing yet.
    pub const fn new(version: u64, issued_at: Timestamp) -> Self {
        Self {
            version,
            issued_at,
            certificates: Vec::new(),
            revoked: Vec::new(),
            roots: Vec::new(),
            endorsements: Vec::new(),
            sunset: None,
            licenses: Vec::new(),
            previous: None,
        }
    }

    /// Signs the set with a root key: the bytes of one document.
    pub fn issue(&self, root: &SigningKey) -> Result<Vec<u8>> {
        seal(Kind::KeySet, &self.to_cbor()?, root)
    }

    /// A new root's consent to the set's version and roots, to be put into
    /// [`KeySet::endorsements`].
    pub fn endorse(&self, new_root: &SigningKey) -> Result<Vec<u8>> {
        let consent = Self {
            roots: self.roots.clone(),
            ..Self::new(self.version, self.issued_at)
        };
        consent.issue(new_root)
    }

    /// Verifies a set that one of `roots` signed; errors as for [`open`].
    ///
    /// Whether it is newer than another and may change the roots is for a
    /// [`Ring`](super::Ring) to say.
    pub fn verify(bytes: &[u8], roots: &[&PublicKey]) -> Result<Self> {
        Self::from_cbor(open(Kind::KeySet, bytes, roots)?)
    }

    pub(super) fn verify_by(bytes: &[u8], roots: &[&PublicKey]) -> Result<(PublicKey, Self)> {
        let (root, claims) = open_by(Kind::KeySet, bytes, roots)?;
        Ok((root, Self::from_cbor(claims)?))
    }

    /// What an unverified set names as the one that last changed the roots.
    pub(super) fn previous_of(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        let claims = cbor::decode(unverified(Kind::KeySet, bytes)?)?;
        let previous = private_claims(&claims)?.and_then(|private| private.at(PREVIOUS));
        let bytes = previous.map(Value::as_bytes).transpose()?;
        Ok(bytes.map(<[u8]>::to_vec))
    }

    /// Whether `key` itself has consented to this set.
    pub(super) fn is_endorsed_by(&self, key: &PublicKey) -> bool {
        self.endorsements.iter().any(|bytes| {
            Self::verify(bytes, &[key])
                .is_ok_and(|set| set.version == self.version && set.roots == self.roots)
        })
    }

    fn to_cbor(&self) -> Result<Vec<u8>> {
        self.check()?;
        let version =
            i64::try_from(self.version).map_err(|_| malformed("the version is too high"))?;
        let revoked = self.revoked.iter().map(|revoked| {
            let from = Value::Int(revoked.from.secs());
            Value::Array(vec![Value::bytes(revoked.key.as_bytes()), from])
        });
        let roots = self.roots.iter().map(|key| Value::bytes(key.as_bytes()));
        let sunset = self.sunset.as_ref().map(|products| match products {
            Products::Any => Value::Bool(true),
            Products::Only(list) => {
                Value::Array(list.iter().map(|code| Value::text(code)).collect())
            }
        });
        let private = Value::labelled([
            (VERSION, Some(Value::Int(version))),
            (CERTIFICATES, documents(&self.certificates)),
            (REVOKED, some_array(revoked.collect())),
            (ROOTS, some_array(roots.collect())),
            (ENDORSEMENTS, documents(&self.endorsements)),
            (SUNSET, sunset),
            (LICENSES, documents(&self.licenses)),
            (PREVIOUS, self.previous.as_deref().map(Value::bytes)),
        ]);
        cbor::encode(&Value::labelled([
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs()))),
            (PRIVATE, Some(private)),
        ]))
    }

    /// Reads claims whose signature has been verified.
    fn from_cbor(bytes: &[u8]) -> Result<Self> {
        let claims = cbor::decode(bytes)?;
        let private = private_claims(&claims)?.ok_or_else(|| malformed("the key set is empty"))?;
        let set = Self {
            version: private.need(VERSION, "version")?.as_count()?,
            issued_at: instant(claims.need(ISSUED_AT, "issued at")?)?,
            certificates: items(private, CERTIFICATES, bytes_of)?,
            revoked: revoked_keys(private)?,
            roots: items(private, ROOTS, |key| {
                PublicKey::from_bytes(&key.as_exact()?)
            })?,
            endorsements: items(private, ENDORSEMENTS, bytes_of)?,
            sunset: private.at(SUNSET).map(sunset).transpose()?,
            licenses: items(private, LICENSES, bytes_of)?,
            previous: private.at(PREVIOUS).map(bytes_of).transpose()?,
        };
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<()> {
        if self.version == 0 {
            return Err(malformed("versions of key sets begin at 1"));
        }
        let twice = matches!(self.roots[..], [first, second] if first == second);
        if self.roots.len() > 2 || twice {
            return Err(malformed("a key set names at most two different roots"));
        }
        if self.certificates.len() > MAX_CERTIFICATES || self.endorsements.len() > 2 {
            return Err(malformed("the key set holds too many certificates"));
        }
        if self.revoked.len() > MAX_LISTED || self.licenses.len() > MAX_LISTED {
            return Err(malformed("the key set revokes or carries too much"));
        }
        match &self.sunset {
            Some(Products::Only(list)) => {
                list.iter().try_for_each(|code| check_name(code).map(drop))
            }
            _ => Ok(()),
        }
    }
}

fn documents(list: &[Vec<u8>]) -> Option<Value<'_>> {
    some_array(list.iter().map(|bytes| Value::bytes(bytes)).collect())
}

fn some_array(items: Vec<Value<'_>>) -> Option<Value<'_>> {
    (!items.is_empty()).then_some(Value::Array(items))
}

/// The items under `label`; none when it is absent.
fn items<T>(
    private: &Value<'_>,
    label: i64,
    read: impl Fn(&Value<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let list = private.at(label).map_or(Ok(&[][..]), Value::as_array)?;
    list.iter().map(read).collect()
}

fn bytes_of(value: &Value<'_>) -> Result<Vec<u8>> {
    value.as_bytes().map(<[u8]>::to_vec)
}

/// Passes weak keys over: nothing that is believed hangs on one, and a set that revokes is never
/// stopped by what it revokes.
fn revoked_keys(private: &Value<'_>) -> Result<Vec<RevokedKey>> {
    let revoked = items(private, REVOKED, |value| {
        let [key, from] = value.as_array()? else {
            return Err(malformed("a revoked key has an instant and nothing else"));
        };
        let (key, from) = (PublicKey::from_bytes(&key.as_exact()?), instant(from)?);
        Ok(key.ok().map(|key| RevokedKey { key, from }))
    })?;
    if revoked.len() > MAX_LISTED {
        return Err(malformed("the key set revokes too many keys"));
    }
    Ok(revoked.into_iter().flatten().collect())
}

fn sunset(value: &Value<'_>) -> Result<Products> {
    if *value == Value::Bool(true) {
        return Ok(Products::Any);
    }
    let codes = value.as_array()?.iter();
    let codes = codes.map(|code| code.as_text().map(str::to_owned));
    codes.collect::<Result<_>>().map(Products::Only)
}
