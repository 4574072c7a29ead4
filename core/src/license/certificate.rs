//! Certificates: a key that may sign some kinds, for some products, for some time.

use super::codec::instant;
use super::name::check_name;
use crate::document::cbor::{self, Value};
use crate::document::{
    CONFIRMATION, ISSUED_AT, Kind, PRIVATE, PublicKey, SigningKey, cose_key, key_from_cose,
    open_by, private_claims_with, seal,
};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::time::Timestamp;

const KINDS: i64 = 1;
const PRODUCTS: i64 = 2;
const SIGNS_FROM: i64 = 3;
const SIGNS_UNTIL: i64 = 4;
const DELEGATE: i64 = 5;
/// Critical: who doesn't know this limit must not take the key for one without it.
const LICENSES: i64 = -1;
const MAX_PRODUCTS: usize = 32;
const MAX_LICENSES: usize = 16;

/// Which products a key may sign for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Products {
    /// Every product.
    Any,
    /// These, by code.
    Only(Vec<String>),
}

impl Products {
    pub(super) fn contains(&self, product: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(list) => list.iter().any(|known| known == product),
        }
    }

    fn within(&self, parent: &Products) -> bool {
        match self {
            Self::Any => *parent == Self::Any,
            Self::Only(list) => list.iter().all(|product| parent.contains(product)),
        }
    }
}

/// A key and what it may sign.
///
/// The window bounds the instant of issue of what the key signs, not its use: what was issued
/// within it stays good for as long as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The key that is certified.
    pub key: PublicKey,
    /// The kinds of document it may sign.
    pub kinds: Vec<Kind>,
    /// The products it may sign for.
    pub products: Products,
    /// When the certificate was issued.
    pub issued_at: Timestamp,
    /// The first instant of issue it may give.
    pub signs_from: Timestamp,
    /// The first instant of issue it may no longer give; no end when absent.
    pub signs_until: Option<Timestamp>,
    /// Whether it may certify other keys, never more widely than itself.
    pub delegate: bool,
    /// The only licenses for which it may sign, 1 to 16; every license when absent.
    pub licenses: Option<Vec<LicenseId>>,
}

fn out_of_scope(detail: &'static str) -> Error {
    Error::new("certificate_out_of_scope", detail)
}

impl Certificate {
    /// Signs the certificate with a root or a delegating key: the bytes of one document.
    pub fn issue(&self, parent: &SigningKey) -> Result<Vec<u8>> {
        seal(Kind::Certificate, &self.to_cbor()?, parent)
    }

    /// Verifies a certificate that one of `parents` signed; errors as for every document.
    pub fn verify(bytes: &[u8], parents: &[&PublicKey]) -> Result<Self> {
        Self::verify_by(bytes, parents).map(|verified| verified.1)
    }

    /// As [`Certificate::verify`], and tells which parent it was.
    pub(super) fn verify_by(bytes: &[u8], parents: &[&PublicKey]) -> Result<(PublicKey, Self)> {
        let (parent, claims) = open_by(Kind::Certificate, bytes, parents)?;
        Ok((parent, Self::from_cbor(claims)?))
    }

    fn to_cbor(&self) -> Result<Vec<u8>> {
        self.check()?;
        let bits = self
            .kinds
            .iter()
            .fold(0, |bits, kind| bits | 1_i64 << kind.number());
        let products = match &self.products {
            Products::Any => None,
            Products::Only(list) => Some(Value::Array(
                list.iter().map(|code| Value::text(code)).collect(),
            )),
        };
        let licenses = self.licenses.as_ref().map(|list| {
            let ids = list.iter().map(|id| Value::bytes(id.as_bytes()));
            ids.collect()
        });
        let private = Value::labelled([
            (KINDS, Some(Value::Int(bits))),
            (PRODUCTS, products),
            (SIGNS_FROM, Some(Value::Int(self.signs_from.secs()))),
            (
                SIGNS_UNTIL,
                self.signs_until.map(|at| Value::Int(at.secs())),
            ),
            (DELEGATE, self.delegate.then_some(Value::Bool(true))),
            (LICENSES, licenses.map(Value::Array)),
        ]);
        cbor::encode(&Value::labelled([
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs()))),
            (CONFIRMATION, Some(cose_key(&self.key))),
            (PRIVATE, Some(private)),
        ]))
    }

    /// Reads claims whose signature has been verified.
    fn from_cbor(bytes: &[u8]) -> Result<Self> {
        let claims = cbor::decode(bytes)?;
        let missing = || Error::new("malformed", "the certificate says nothing");
        let private = private_claims_with(&claims, &[LICENSES])?.ok_or_else(missing)?;
        let bits = private.need(KINDS, "kinds")?.as_count()?;
        let products = match private.at(PRODUCTS) {
            None => Products::Any,
            Some(list) => Products::Only(
                list.as_array()?
                    .iter()
                    .map(|code| code.as_text().map(str::to_owned))
                    .collect::<Result<_>>()?,
            ),
        };
        let certificate = Self {
            key: key_from_cose(claims.need(CONFIRMATION, "key")?)?,
            kinds: Kind::all()
                .filter(|kind| bits >> kind.number() & 1 == 1)
                .collect(),
            products,
            issued_at: instant(claims.need(ISSUED_AT, "issued at")?)?,
            signs_from: instant(private.need(SIGNS_FROM, "start")?)?,
            signs_until: private.at(SIGNS_UNTIL).map(instant).transpose()?,
            delegate: private
                .at(DELEGATE)
                .map(Value::as_bool)
                .transpose()?
                .unwrap_or(false),
            licenses: private.at(LICENSES).map(read_licenses).transpose()?,
        };
        certificate.check()?;
        Ok(certificate)
    }

    fn check(&self) -> Result<()> {
        if self
            .signs_until
            .is_some_and(|until| until <= self.signs_from)
        {
            return Err(Error::new(
                "malformed",
                "the certificate ends before it starts",
            ));
        }
        let licenses = self.licenses.as_ref().map_or(1, Vec::len);
        if licenses == 0 || licenses > MAX_LICENSES {
            return Err(Error::new(
                "malformed",
                "a certificate names 1 to 16 licenses",
            ));
        }
        let Products::Only(list) = &self.products else {
            return Ok(());
        };
        if list.is_empty() || list.len() > MAX_PRODUCTS {
            return Err(Error::new(
                "malformed",
                "a certificate names 1 to 32 products",
            ));
        }
        list.iter().try_for_each(|code| check_name(code).map(drop))
    }

    fn licenses_within(&self, parent: &Certificate) -> bool {
        match (&self.licenses, &parent.licenses) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(list), Some(parents)) => list.iter().all(|id| parents.contains(id)),
        }
    }

    fn in_window(&self, issued_at: Timestamp) -> bool {
        issued_at >= self.signs_from && self.signs_until.is_none_or(|until| issued_at < until)
    }

    /// Refuses what this key may not sign: another kind or product, or outside its window.
    pub(super) fn allows(&self, kind: Kind, product: &str, issued_at: Timestamp) -> Result<()> {
        if !self.kinds.contains(&kind) {
            return Err(out_of_scope(
                "the key that signed this may not sign this kind of document",
            ));
        }
        if !self.products.contains(product) {
            return Err(out_of_scope(
                "the key that signed this may not sign for this product",
            ));
        }
        if !self.in_window(issued_at) {
            return Err(out_of_scope(
                "the key that signed this was not valid when it was issued",
            ));
        }
        Ok(())
    }

    /// Refuses what is about a license that this key may not sign for.
    pub(super) fn allows_license(&self, license: LicenseId) -> Result<()> {
        match &self.licenses {
            Some(list) if !list.contains(&license) => Err(out_of_scope(
                "the key that signed this may not sign for this license",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a child that is wider than this certificate, or any child if it doesn't delegate.
    pub(super) fn allows_child(&self, child: &Certificate) -> Result<()> {
        if !self.delegate {
            return Err(out_of_scope(
                "a key was certified by one that may not certify",
            ));
        }
        let kinds = child.kinds.iter().all(|kind| self.kinds.contains(kind));
        let start = child.signs_from >= self.signs_from;
        let end = match (child.signs_until, self.signs_until) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(child), Some(parent)) => child <= parent,
        };
        let narrower = kinds && start && end && child.products.within(&self.products);
        let narrower = narrower && child.licenses_within(self);
        if !narrower || !self.in_window(child.issued_at) {
            return Err(out_of_scope(
                "a certificate is wider than the one that vouches for it",
            ));
        }
        Ok(())
    }
}

fn read_licenses(value: &Value<'_>) -> Result<Vec<LicenseId>> {
    let id = |value: &Value<'_>| value.as_exact().map(LicenseId::from_bytes);
    value.as_array()?.iter().map(id).collect()
}
