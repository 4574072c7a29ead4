//! From bytes to belief: the chain of signatures from a pinned root down to a document.

use super::{Certificate, Claims, Facts, Trust, Verdict, judge};
use crate::document::cbor;
use crate::document::{AUDIENCE, Bundle, ISSUED_AT, Kind, SigningKey, from_text, open, seal};
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// A document whose signatures hold up to a pinned root, of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    claims: Vec<u8>,
    product: String,
    issued_at: Timestamp,
}

impl Opened {
    /// The claims, in deterministic CBOR.
    pub fn claims(&self) -> &[u8] {
        &self.claims
    }

    /// The product it is for.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// When it was issued; within the window of every certificate above it.
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }
}

/// A license whose signatures hold up to a pinned root and whose product is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLicense {
    claims: Claims,
}

impl VerifiedLicense {
    /// What it says.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Signs a license: the bytes of its bundle.
///
/// `certificates` lead from the root to `key`, the root's first; none when `key` is a root itself.
pub fn issue(claims: &Claims, key: &SigningKey, certificates: &[&[u8]]) -> Result<Vec<u8>> {
    let document = seal(Kind::License, &claims.to_cbor()?, key)?;
    Ok(Bundle::new(certificates.to_vec(), &document)?.to_bytes())
}

/// Verifies a license bundle against what the product pins.
///
/// The error's code is that of a [`Status`](super::Status), in the same precedence.
pub fn verify(bundle: &[u8], trust: &Trust) -> Result<VerifiedLicense> {
    let opened = open_bundle(Kind::License, bundle, trust)?;
    let claims = Claims::from_cbor(&opened.claims)?;
    Ok(VerifiedLicense { claims })
}

/// Reads, verifies and judges a license in any of its text forms: the whole way in one call.
pub fn verify_text(text: &str, trust: &Trust, facts: &Facts) -> Verdict {
    match from_text(text).and_then(|bundle| verify(&bundle, trust)) {
        Ok(license) => judge(&license, facts),
        Err(error) => Verdict::from(&error),
    }
}

/// Opens a bundle of any kind that is issued under a root: its signatures, scope and product.
///
/// Every such document names its product (`aud`) and its instant of issue (`iat`).
pub fn open_bundle(kind: Kind, bundle: &[u8], trust: &Trust) -> Result<Opened> {
    let bundle = Bundle::from_bytes(bundle)?;
    if bundle.kind() != kind {
        let (found, asked) = (bundle.kind().name(), kind.name());
        return Err(Error::new(
            "wrong_kind",
            format!("this is a {found}, not a {asked}"),
        ));
    }
    let signer = signer(bundle.certificates(), trust)?;
    let payload = match &signer {
        Some(certificate) => open(kind, bundle.document(), &[&certificate.key])?,
        None => open(kind, bundle.document(), &trust.roots().collect::<Vec<_>>())?,
    };
    let claims = cbor::decode(payload)?;
    let product = claims.need(AUDIENCE, "product")?.as_text()?.to_owned();
    let issued_at = super::codec::instant(claims.need(ISSUED_AT, "issued at")?)?;
    if let Some(ours) = trust.product().filter(|&ours| ours != product) {
        return Err(Error::new(
            "wrong_product",
            format!("this is for the product {product}, not for {ours}"),
        ));
    }
    if let Some(certificate) = &signer {
        certificate.allows(kind, &product, issued_at)?;
    }
    Ok(Opened {
        claims: payload.to_vec(),
        product,
        issued_at,
    })
}

/// The last certificate of a chain that starts at a root; `None` when there are no certificates.
fn signer(certificates: &[&[u8]], trust: &Trust) -> Result<Option<Certificate>> {
    let mut parent: Option<Certificate> = None;
    for bytes in certificates {
        let certificate = match &parent {
            Some(parent) => Certificate::verify(bytes, &[&parent.key])?,
            None => Certificate::verify(bytes, &trust.roots().collect::<Vec<_>>())?,
        };
        if let Some(parent) = &parent {
            parent.allows_child(&certificate)?;
        }
        parent = Some(certificate);
    }
    Ok(parent)
}

#[cfg(test)]
mod tests;
