//! Signed documents, profile "MT1": COSE_Sign1 (RFC 9052) around CWT claims (RFC 8392).
//!
//! Everything two parties must believe offline is such a document: a license, an activation, a
//! usage segment, a receipt. This folder knows bytes, keys and signatures; what the claims mean is
//! the business of the modules above. Read [`seal`] and [`open`] first, then [`Bundle`], then
//! `docs/license-document.md`, which is normative.
//!
//! ```
//! use mintreu::document::{Kind, SigningKey, cbor, from_text, open, seal, to_text};
//!
//! let key = SigningKey::generate()?;
//! let claims = cbor::encode(&cbor::Value::labelled([(3, Some(cbor::Value::text("acme.editor")))]))?;
//! let document = seal(Kind::License, &claims, &key)?;
//!
//! let pasted = from_text(&to_text(&document))?;
//! assert_eq!(open(Kind::License, &pasted, &[key.public()])?, claims);
//! assert_eq!(open(Kind::Lease, &pasted, &[key.public()]).unwrap_err().code(), "wrong_kind");
//! # Ok::<(), mintreu::Error>(())
//! ```
//!
//! # Invariants
//!
//! * A document has exactly one encoding: whatever is not byte for byte what [`seal`] writes for
//!   the same header, claims and signature is refused before its signature is looked at.
//! * A document of one kind is never taken for another: its kind is in the protected header and
//!   in the external data that is signed, and both must agree with what the caller asked for.
//! * Claims come out of [`open`] only, after the signature was verified. The exceptions look only
//!   for who should have signed: [`open_self_signed`] at the key claim, and key sets at the key set
//!   before them.
//! * Every key that verifies is a [`PublicKey`], and so is neither weak nor ambiguous.
//! * Sizes and depths are limited before anything is allocated.

pub mod cbor;

mod bundle;
mod keys;
mod kind;
mod sign1;
mod text;

pub use bundle::{Bundle, MAX_CERTIFICATES};
pub use keys::{Kid, PublicKey, SigningKey};
pub use kind::Kind;
pub use sign1::{cose_key, key_from_cose, kind_of, open, open_self_signed, seal};
pub(crate) use sign1::{open_by, unverified};
pub use text::{MAX_QR_CHARS, from_text, to_armor, to_qr, to_text};
pub(crate) use text::{armored, unarmored};

/// CWT label of the audience: the product's code.
pub const AUDIENCE: i64 = 3;
/// CWT label of the end of validity, in seconds since the Unix epoch.
pub const EXPIRES: i64 = 4;
/// CWT label of the start of validity, in seconds since the Unix epoch.
pub const NOT_BEFORE: i64 = 5;
/// CWT label of the instant of issue, in seconds since the Unix epoch.
pub const ISSUED_AT: i64 = 6;
/// CWT label of the document's own id, 16 bytes.
pub const DOCUMENT_ID: i64 = 7;
/// CWT label of the key a document is about (RFC 8747).
pub const CONFIRMATION: i64 = 8;
/// EAT label of a nonce (RFC 9711).
pub const NONCE: i64 = 10;
/// The private label under which each kind keeps its own map of small integer keys.
pub const PRIVATE: i64 = -65537;

/// The map under the private label of a document's claims, if it has one.
///
/// Its keys are whole numbers. Negative ones are critical: a document with one that isn't
/// known means something we can't judge, and is refused as `unsupported`. Unknown keys that
/// are not negative are optional and ignored.
pub fn private_claims<'v, 'a>(
    claims: &'v cbor::Value<'a>,
) -> crate::Result<Option<&'v cbor::Value<'a>>> {
    private_claims_with(claims, &[])
}

/// As [`private_claims`], for a kind whose critical keys `known` lists.
pub(crate) fn private_claims_with<'v, 'a>(
    claims: &'v cbor::Value<'a>,
    known: &[i64],
) -> crate::Result<Option<&'v cbor::Value<'a>>> {
    let Some(private) = claims.at(PRIVATE) else {
        return Ok(None);
    };
    for (key, _) in private.as_map()? {
        let key = key.as_int()?;
        if key < 0 && !known.contains(&key) {
            return Err(crate::Error::new(
                "unsupported",
                "the document needs a newer version of the product",
            ));
        }
    }
    Ok(Some(private))
}
