//! The envelope: COSE_Sign1 with its one fixed shape.

use minicbor::{Decoder, Encoder};

use super::{CONFIRMATION, Kid, Kind, PublicKey, SigningKey, cbor};
use crate::document::cbor::Value;
use crate::error::{Error, Result};

/// COSE algorithm number of Ed25519 (RFC 9864 §2.2).
const ED25519: i64 = -19;
/// CBOR tag of COSE_Sign1 (RFC 9052 §2).
const COSE_SIGN1: u64 = 18;
/// The most keys one document is tried against.
const MAX_CANDIDATES: usize = 4;

/// A document taken apart, nothing of it believed yet.
pub(super) struct Parts<'a> {
    pub kind: Kind,
    kid: Kid,
    protected: &'a [u8],
    payload: &'a [u8],
    signature: [u8; 64],
}

fn malformed(detail: &'static str) -> Error {
    Error::new("malformed", detail)
}

fn broken<E>(_: E) -> Error {
    malformed("this is not a Mintreu document, or a part of it is missing")
}

/// Signs claims: the COSE_Sign1 bytes of one document.
///
/// `claims` is deterministic CBOR ([`cbor::encode`]). `malformed` when it isn't, `too_large` when
/// the document would pass its kind's limit.
pub fn seal(kind: Kind, claims: &[u8], key: &SigningKey) -> Result<Vec<u8>> {
    check_size(kind, claims.len())?;
    cbor::decode(claims)?;
    let kid = key.public().kid();
    let protected = protected(kind, &kid)?;
    let signature = key.sign(&to_be_signed(kind, &protected, claims)?);
    let document = assemble(&protected, claims, &signature)?;
    check_size(kind, document.len())?;
    Ok(document)
}

/// Verifies one document of `kind` against candidate keys and gives its claims.
///
/// Keys are matched by the document's key id, at most four are tried. Errors, in this order:
/// `too_large`, `malformed`, `unsupported`, `wrong_kind`, `unknown_key`, `bad_signature`.
pub fn open<'a>(kind: Kind, bytes: &'a [u8], keys: &[&PublicKey]) -> Result<&'a [u8]> {
    open_by(kind, bytes, keys).map(|opened| opened.1)
}

/// As [`open`], and tells which of the keys it was.
pub(crate) fn open_by<'a>(
    kind: Kind,
    bytes: &'a [u8],
    keys: &[&PublicKey],
) -> Result<(PublicKey, &'a [u8])> {
    let parts = whole(kind, bytes)?;
    let key = parts.verify(keys)?;
    Ok((key, parts.payload))
}

/// The claims of a document that nobody vouches for yet: only to find who should.
pub(crate) fn unverified(kind: Kind, bytes: &[u8]) -> Result<&[u8]> {
    whole(kind, bytes).map(|parts| parts.payload)
}

/// Verifies a document that is signed by the very key it names in its confirmation claim.
///
/// That proves only that whoever made it holds this key: what a request needs. The key claim is
/// the one thing read before the signature is verified.
pub fn open_self_signed(kind: Kind, bytes: &[u8]) -> Result<(PublicKey, &[u8])> {
    let parts = whole(kind, bytes)?;
    let claims = cbor::decode(parts.payload)?;
    let key = key_from_cose(claims.need(CONFIRMATION, "key")?)?;
    parts.verify(&[&key])?;
    Ok((key, parts.payload))
}

/// The kind a document says it is; its signature is not looked at.
pub fn kind_of(bytes: &[u8]) -> Result<Kind> {
    Ok(split_first(bytes)?.0.kind)
}

/// The confirmation claim of an Ed25519 key: `{1: {1: 1, -1: 6, -2: x}}` (RFC 8747 §3.2).
pub fn cose_key(key: &PublicKey) -> Value<'_> {
    let cose = Value::labelled([
        (1, Some(Value::Int(1))),
        (-1, Some(Value::Int(6))),
        (-2, Some(Value::bytes(key.as_bytes()))),
    ]);
    Value::labelled([(1, Some(cose))])
}

/// Reads the confirmation claim; `malformed` or `weak_key`.
pub fn key_from_cose(claim: &Value<'_>) -> Result<PublicKey> {
    let cose = claim.need(1, "COSE key")?;
    let kty = cose.need(1, "key type")?.as_int()?;
    let curve = cose.need(-1, "curve")?.as_int()?;
    if (kty, curve) != (1, 6) || cose.as_map()?.len() != 3 || claim.as_map()?.len() != 1 {
        return Err(malformed("the confirmation key is not an Ed25519 key"));
    }
    PublicKey::from_bytes(&cose.need(-2, "key bytes")?.as_exact()?)
}

impl Parts<'_> {
    fn verify(&self, keys: &[&PublicKey]) -> Result<PublicKey> {
        let mut known = keys.iter().filter(|key| key.kid() == self.kid).peekable();
        if known.peek().is_none() {
            return Err(Error::new(
                "unknown_key",
                "the document is signed by a key that this product doesn't trust",
            ));
        }
        let message = to_be_signed(self.kind, self.protected, self.payload)?;
        let mut outcome = Err(malformed("no key was tried"));
        for key in known.take(MAX_CANDIDATES) {
            outcome = key.verify(&message, &self.signature).map(|()| **key);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

fn check_size(kind: Kind, len: usize) -> Result<()> {
    let limit = kind.max_bytes();
    if len <= limit {
        return Ok(());
    }
    let name = kind.name();
    Err(Error::new(
        "too_large",
        format!("a {name} has at most {limit} bytes; this one has {len}"),
    ))
}

fn whole(kind: Kind, bytes: &[u8]) -> Result<Parts<'_>> {
    let (parts, rest) = split_first(bytes)?;
    if !rest.is_empty() {
        return Err(malformed("bytes follow the end of the document"));
    }
    if parts.kind != kind {
        return Err(Error::new(
            "wrong_kind",
            format!("this is a {}, not a {}", parts.kind.name(), kind.name()),
        ));
    }
    Ok(parts)
}

/// Takes the first document off `bytes`: its parts and what follows it.
pub(super) fn split_first(bytes: &[u8]) -> Result<(Parts<'_>, &[u8])> {
    let mut decoder = Decoder::new(bytes);
    if decoder.tag().map_err(broken)?.as_u64() != COSE_SIGN1 {
        return Err(broken(()));
    }
    if decoder.array().map_err(broken)? != Some(4) {
        return Err(broken(()));
    }
    let protected = decoder.bytes().map_err(broken)?;
    let (kind, kid) = read_protected(protected)?;
    if decoder.map().map_err(broken)? != Some(0) {
        return Err(malformed("the unprotected header must be empty"));
    }
    let payload = decoder.bytes().map_err(broken)?;
    let signature = decoder.bytes().map_err(broken)?;
    let signature = signature.try_into().map_err(broken)?;
    let (document, rest) = bytes.split_at(decoder.position());
    check_size(kind, document.len())?;
    if document.len() != shortest(protected.len(), payload.len()) {
        return Err(malformed(
            "the document is not in its one deterministic form",
        ));
    }
    let parts = Parts {
        kind,
        kid,
        protected,
        payload,
        signature,
    };
    Ok((parts, rest))
}

/// The length of a document of such parts when every head is in its shortest form, which leaves
/// one encoding: a document of these parts and this length has no longer head anywhere.
const fn shortest(protected: usize, payload: usize) -> usize {
    let strings = cbor::head_bytes(protected as u64) + cbor::head_bytes(payload as u64);
    // The tag, the array, the empty map and the signature's head.
    strings + protected + payload + 64 + 5
}

/// Reads the one header there is by its bytes; `None` for any other, which is decoded to say why.
fn read_expected(bytes: &[u8]) -> Option<(Kind, Kid)> {
    // {1: -19, 4: <8 bytes>, 16: <text of at most 23 bytes>}
    let (kid, rest) = bytes
        .strip_prefix(&[0xa3, 0x01, 0x32, 0x04, 0x48])?
        .split_first_chunk()?;
    let (&head, media_type) = rest.strip_prefix(&[0x10])?.split_first()?;
    if media_type.len() > 23 || usize::from(head) != 0x60 + media_type.len() {
        return None;
    }
    let kind = Kind::from_media_type(str::from_utf8(media_type).ok()?).ok()?;
    Some((kind, *kid))
}

fn read_protected(bytes: &[u8]) -> Result<(Kind, Kid)> {
    if let Some(expected) = read_expected(bytes) {
        return Ok(expected);
    }
    if bytes.len() > 64 {
        return Err(malformed("the protected header is too long"));
    }
    let header = cbor::decode(bytes)?;
    if header.need(1, "algorithm")?.as_int()? != ED25519 {
        return Err(Error::new(
            "unsupported",
            "the document is signed with an algorithm that this version doesn't know",
        ));
    }
    let kind = Kind::from_media_type(header.need(16, "type")?.as_text()?)?;
    let kid = header.need(4, "key id")?.as_exact()?;
    if header.as_map()?.len() != 3 {
        return Err(malformed("the protected header holds more than it may"));
    }
    Ok((kind, kid))
}

fn protected(kind: Kind, kid: &Kid) -> Result<Vec<u8>> {
    cbor::encode(&Value::labelled([
        (1, Some(Value::Int(ED25519))),
        (4, Some(Value::bytes(kid))),
        (16, Some(Value::text(kind.media_type()))),
    ]))
}

/// The Sig_structure of RFC 9052 §4.4, with the kind as external data.
fn to_be_signed(kind: Kind, protected: &[u8], payload: &[u8]) -> Result<Vec<u8>> {
    let external = kind.media_type().as_bytes();
    let mut encoder = Encoder::new(Vec::with_capacity(payload.len() + 160));
    let written = encoder
        .array(4)
        .and_then(|encoder| encoder.str("Signature1"))
        .and_then(|encoder| encoder.bytes(protected))
        .and_then(|encoder| encoder.bytes(external))
        .and_then(|encoder| encoder.bytes(payload));
    written.map_err(broken)?;
    Ok(encoder.into_writer())
}

fn assemble(protected: &[u8], payload: &[u8], signature: &[u8; 64]) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(Vec::with_capacity(shortest(protected.len(), payload.len())));
    let written = encoder
        .tag(minicbor::data::Tag::new(COSE_SIGN1))
        .and_then(|encoder| encoder.array(4))
        .and_then(|encoder| encoder.bytes(protected))
        .and_then(|encoder| encoder.map(0))
        .and_then(|encoder| encoder.bytes(payload))
        .and_then(|encoder| encoder.bytes(signature));
    written.map_err(broken)?;
    Ok(encoder.into_writer())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Vec<u8> {
        let claims = Value::labelled([
            (3, Some(Value::text("acme.editor"))),
            (6, Some(Value::Int(1_790_000_000))),
        ]);
        cbor::encode(&claims).expect("encodes")
    }

    fn code<T>(result: Result<T>) -> &'static str {
        result.map(|_| ()).expect_err("must be refused").code()
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let key = SigningKey::from_seed(&[1; 32]);
        let document = seal(Kind::License, &claims(), &key).expect("seals");
        let keys = [key.public()];
        assert_eq!(
            open(Kind::License, &document, &keys).expect("opens"),
            claims()
        );
        for bit in 0..document.len() * 8 {
            let mut flipped = document.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(Kind::License, &flipped, &keys).is_err(), "bit {bit}");
        }
        for len in 0..document.len() {
            assert!(
                open(Kind::License, &document[..len], &keys).is_err(),
                "length {len}"
            );
        }
        let longer = [&document[..], &[0]].concat();
        assert_eq!(code(open(Kind::License, &longer, &keys)), "malformed");
    }

    #[test]
    fn one_kind_is_never_another() {
        let key = SigningKey::from_seed(&[1; 32]);
        for made in Kind::all() {
            let document = seal(made, &claims(), &key).expect("seals");
            for asked in Kind::all().filter(|&asked| asked != made) {
                assert_eq!(code(open(asked, &document, &[key.public()])), "wrong_kind");
            }
        }
    }

    #[test]
    fn the_type_in_the_header_alone_does_not_change_the_kind() {
        // A header that says "license" over a signature made for a lease must not pass.
        let key = SigningKey::from_seed(&[1; 32]);
        let kid = key.public().kid();
        let [lease, license] =
            [Kind::Lease, Kind::License].map(|kind| protected(kind, &kid).expect("encodes"));
        let message = to_be_signed(Kind::Lease, &lease, &claims()).expect("encodes");
        let signature = key.sign(&message);
        let forged = assemble(&license, &claims(), &signature).expect("encodes");
        assert_eq!(
            code(open(Kind::License, &forged, &[key.public()])),
            "bad_signature"
        );
    }

    #[test]
    fn a_header_read_by_its_bytes_is_what_decoding_says() {
        let kid = SigningKey::from_seed(&[1; 32]).public().kid();
        for kind in Kind::all() {
            let header = protected(kind, &kid).expect("encodes");
            assert_eq!(read_expected(&header), Some((kind, kid)));
            for bit in 0..header.len() * 8 {
                let mut flipped = header.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                if let Some((kind, kid)) = read_expected(&flipped) {
                    assert_eq!(protected(kind, &kid), Ok(flipped), "one header says this");
                }
            }
            assert_eq!(read_expected(&header[..header.len() - 1]), None);
            assert_eq!(read_expected(&[&header[..], &[0]].concat()), None);
        }
    }

    #[test]
    fn strangers_and_large_documents_are_refused() {
        let (key, other) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        let document = seal(Kind::License, &claims(), &key).expect("seals");
        assert_eq!(
            code(open(Kind::License, &document, &[other.public()])),
            "unknown_key"
        );
        let big = cbor::encode(&Value::bytes(&vec![0; 16 << 10])).expect("encodes");
        assert_eq!(code(seal(Kind::License, &big, &key)), "too_large");
        assert!(seal(Kind::Usage, &big, &key).is_ok());
    }

    #[test]
    fn a_self_signed_document_proves_its_own_key_only() {
        let (key, other) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        let claims = |key: &SigningKey| {
            let claims = Value::labelled([(CONFIRMATION, Some(cose_key(key.public())))]);
            cbor::encode(&claims).expect("encodes")
        };
        let document = seal(Kind::Request, &claims(&key), &key).expect("seals");
        let (found, _) = open_self_signed(Kind::Request, &document).expect("opens");
        assert_eq!(&found, key.public());
        let stolen = seal(Kind::Request, &claims(&other), &key).expect("seals");
        assert_eq!(
            code(open_self_signed(Kind::Request, &stolen)),
            "unknown_key"
        );
    }
}
