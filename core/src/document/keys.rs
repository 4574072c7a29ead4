//! Ed25519 keys: what may be loaded, how they are named, and the one place that verifies.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, Verifier as _};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Error, Result};

/// The first eight bytes of a key's COSE thumbprint: a hint which key signed, never an identity.
pub type Kid = [u8; 8];

/// What the text of a public key starts with.
const TEXT_PREFIX: &str = "MT1K-";

/// The canonical encodings of the eight points of low order.
const LOW_ORDER: [[u8; 32]; 8] = [
    zeros_between(0, 0),
    zeros_between(0, 0x80),
    zeros_between(1, 0),
    ones_between(0xec, 0x7f),
    ORDER_EIGHT_LOW,
    with_sign(ORDER_EIGHT_LOW),
    ORDER_EIGHT_HIGH,
    with_sign(ORDER_EIGHT_HIGH),
];

const ORDER_EIGHT_LOW: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];

const ORDER_EIGHT_HIGH: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];

/// All zero but the first and the last byte.
const fn zeros_between(first: u8, last: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    (bytes[0], bytes[31]) = (first, last);
    bytes
}

/// All ones but the first and the last byte.
const fn ones_between(first: u8, last: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (first, last);
    bytes
}

/// The point with the other x.
const fn with_sign(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes[31] |= 0x80;
    bytes
}

/// An Ed25519 public key that is safe to trust: canonical, torsion-free and not weak.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey {
    key: ed25519_dalek::VerifyingKey,
    kid: Kid,
}

impl PublicKey {
    /// Reads 32 bytes (RFC 8032 §5.1.2).
    ///
    /// `weak_key` for an encoding that is no point, is not the canonical one, is of low order, or
    /// has a torsion part: under such keys one signature can fit several messages or several keys.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| weak())?;
        let point = key.to_edwards();
        let canonical = point.compress().to_bytes() == *bytes;
        if !canonical || point.is_small_order() || !point.is_torsion_free() {
            return Err(weak());
        }
        Ok(Self::known_good(key))
    }

    fn known_good(key: ed25519_dalek::VerifyingKey) -> Self {
        let kid = thumbprint_hint(key.as_bytes());
        Self { key, kid }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The first eight bytes of the COSE key thumbprint (RFC 9679 §4, SHA-256).
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// Verifies strictly (RFC 8032 with `S < L`, no low-order `R` or key, no cofactor).
    ///
    /// Every signature of the engine is verified here and nowhere else; never in batches, which
    /// accept signatures that are refused singly. The verdict is that of dalek's `verify_strict`
    /// without decompressing `R`: the computed point is compared as bytes, so that an `R` which is
    /// no canonical point never matches, and of the canonical ones the eight of low order are
    /// refused by name. The key was found strong when it was loaded.
    #[expect(
        clippy::disallowed_methods,
        reason = "low-order R is refused first, and the key when it is loaded: as verify_strict"
    )]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<()> {
        let low_order = LOW_ORDER.iter().any(|point| signature[..32] == *point);
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        if low_order || self.key.verify(message, &signature).is_err() {
            let detail = "the signature does not fit the document";
            return Err(Error::new("bad_signature", detail));
        }
        Ok(())
    }
}

fn weak() -> Error {
    Error::new(
        "weak_key",
        "this is not a usable Ed25519 public key: it is malformed or weak",
    )
}

/// SHA-256 over the deterministic COSE_Key `{1: 1, -1: 6, -2: x}`, cut to eight bytes.
fn thumbprint_hint(key: &[u8; 32]) -> Kid {
    const HEAD: [u8; 8] = [0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];
    let digest = Sha256::new()
        .chain_update(HEAD)
        .chain_update(key)
        .finalize();
    let mut kid = Kid::default();
    kid.copy_from_slice(&digest[..8]);
    kid
}

impl fmt::Display for PublicKey {
    /// `MT1K-` and base64url of the key and four bytes of its thumbprint, which catch typos.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.as_bytes()[..], &self.kid[..4]].concat();
        write!(f, "{TEXT_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    /// Reads what `Display` writes; `malformed` for a typo, `weak_key` for an unsafe key.
    fn from_str(text: &str) -> Result<Self> {
        let typo = || {
            Error::new(
                "malformed",
                "a public key looks like MT1K-…; check for typos",
            )
        };
        let encoded = text.trim().strip_prefix(TEXT_PREFIX).ok_or_else(typo)?;
        if encoded.len() != 48 {
            return Err(typo());
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| typo())?;
        let (key, check) = bytes.split_first_chunk::<32>().ok_or_else(typo)?;
        if thumbprint_hint(key)[..4] != *check {
            return Err(typo());
        }
        Self::from_bytes(key)
    }
}

/// An Ed25519 signing key. Its seed is wiped from memory on drop and never printed.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl SigningKey {
    /// From a 32-byte seed (RFC 8032 §5.1.5). The caller wipes its own copy.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        // A clamped scalar times the base point is never weak and always canonical.
        let public = PublicKey::known_good(key.verifying_key());
        Self { key, public }
    }

    /// A new key from the operating system's randomness.
    ///
    /// `no_randomness` where the system has none to give.
    pub fn generate() -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| {
            Error::new(
                "no_randomness",
                "the system gave no randomness for a new key",
            )
        })?;
        let key = Self::from_seed(&seed);
        seed.zeroize();
        Ok(key)
    }

    /// A copy of the seed, wiped when dropped: for sealing it at rest.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` (RFC 8032 §5.1.6, deterministic).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(redacted, public {})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_text_catches_every_single_typo() {
        let key = *SigningKey::from_seed(&[7; 32]).public();
        let text = key.to_string();
        assert_eq!(text.parse::<PublicKey>().expect("parses"), key);
        for at in 0..text.len() {
            let mut typo = text.clone().into_bytes();
            typo[at] = if typo[at] == b'A' { b'B' } else { b'A' };
            let typo = String::from_utf8(typo).expect("ASCII");
            assert!(typo.parse::<PublicKey>().is_err(), "{typo}");
        }
    }

    #[test]
    fn weak_and_sloppy_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut above_p = [0xff; 32];
        above_p[0] = 0xee;
        above_p[31] = 0x7f;
        for bytes in [[0; 32], identity, above_p, [0xff; 32]] {
            let refused = PublicKey::from_bytes(&bytes).map_err(|error| error.code());
            assert_eq!(refused, Err("weak_key"));
        }
    }

    #[test]
    fn a_torsion_part_is_refused() {
        // An honest key plus the point of order two: (x, y) becomes (-x, -y), so y' = p - y.
        let honest = SigningKey::from_seed(&[9; 32]);
        let mut bytes = *honest.public().as_bytes();
        let sign = bytes[31] >> 7;
        bytes[31] &= 0x7f;
        let mut p = [0xffu8; 32];
        p[0] = 0xed;
        p[31] = 0x7f;
        let mut borrow = 0;
        for (byte, modulus) in bytes.iter_mut().zip(p) {
            let difference = i16::from(modulus) - i16::from(*byte) - borrow;
            borrow = i16::from(difference < 0);
            *byte = difference.rem_euclid(256) as u8;
        }
        bytes[31] |= (sign ^ 1) << 7;
        assert!(ed25519_dalek::VerifyingKey::from_bytes(&bytes).is_ok());
        assert!(PublicKey::from_bytes(&bytes).is_err());
    }

    /// What dalek's own strict verification says.
    fn strict(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        key.key.verify_strict(message, &signature).is_ok()
    }

    #[test]
    fn the_list_is_the_eight_points_of_low_order() {
        let mut seen = std::collections::BTreeSet::new();
        for bytes in LOW_ORDER {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).expect("a point");
            assert!(key.is_weak());
            assert_eq!(key.to_edwards().compress().to_bytes(), bytes, "canonical");
            seen.insert(bytes);
        }
        assert_eq!(seen.len(), 8);
    }

    #[test]
    fn verdicts_are_those_of_strict_verification() {
        let key = SigningKey::from_seed(&[1; 32]);
        let message = b"message";
        let good = key.sign(message);
        for bit in 0..512 {
            let mut flipped = good;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let ours = key.public().verify(message, &flipped).is_ok();
            assert_eq!(ours, strict(key.public(), message, &flipped), "bit {bit}");
        }
        for point in LOW_ORDER {
            let mut forged = good;
            forged[..32].copy_from_slice(&point);
            assert!(key.public().verify(message, &forged).is_err());
        }
    }

    /// With the key's secret, `R` of low order and `S = H(R, A, M) · a` pass plain verification.
    #[test]
    fn a_low_order_r_that_plain_verification_accepts_is_refused() {
        let key = SigningKey::from_seed(&[1; 32]);
        let (mut forged, mut accepted) = ([0; 64], 0);
        forged[0] = 1;
        let expanded: [u8; 64] = sha2::Sha512::digest(&key.seed()[..]).into();
        let mut clamped = [0; 32];
        clamped.copy_from_slice(&expanded[..32]);
        clamped[0] &= 248;
        clamped[31] = (clamped[31] & 127) | 64;
        for round in 0_u8..4 {
            let digest = sha2::Sha512::new()
                .chain_update(&forged[..32])
                .chain_update(key.public().as_bytes())
                .chain_update([round])
                .finalize();
            forged[32..].copy_from_slice(&multiplied(&digest.into(), &clamped));
            let signature = ed25519_dalek::Signature::from_bytes(&forged);
            accepted += usize::from(plain(&key, &[round], &signature));
            assert!(key.public().verify(&[round], &forged).is_err());
        }
        assert_eq!(
            accepted, 4,
            "the forgeries must be ones that the check is needed for"
        );
    }

    #[expect(clippy::disallowed_methods, reason = "the negative control")]
    fn plain(key: &SigningKey, message: &[u8], signature: &ed25519_dalek::Signature) -> bool {
        key.public().key.verify(message, signature).is_ok()
    }

    /// `digest · scalar` modulo the group's order, bit by bit.
    fn multiplied(digest: &[u8; 64], scalar: &[u8; 32]) -> [u8; 32] {
        let digest = remainder(digest);
        let mut product = [0; 32];
        for bit in (0..256).rev() {
            product = added(&product, &product);
            if scalar[bit / 8] >> (bit % 8) & 1 == 1 {
                product = added(&product, &digest);
            }
        }
        product
    }

    fn remainder(wide: &[u8; 64]) -> [u8; 32] {
        let mut rest = [0; 32];
        let mut one = [0; 32];
        one[0] = 1;
        for bit in (0..512).rev() {
            rest = added(&rest, &rest);
            if wide[bit / 8] >> (bit % 8) & 1 == 1 {
                rest = added(&rest, &one);
            }
        }
        rest
    }

    /// The sum of two numbers below the order, modulo the order; least byte first.
    fn added(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let (mut sum, mut carry) = ([0; 32], 0);
        for (slot, (a, b)) in sum.iter_mut().zip(left.iter().zip(right)) {
            let digit = u16::from(*a) + u16::from(*b) + carry;
            (*slot, carry) = ((digit & 0xff) as u8, digit >> 8);
        }
        if sum.iter().rev().lt(ORDER.iter().rev()) {
            return sum;
        }
        let mut borrow = 0;
        for (slot, order) in sum.iter_mut().zip(ORDER) {
            let digit = i16::from(*slot) - i16::from(order) - borrow;
            borrow = i16::from(digit < 0);
            *slot = digit.rem_euclid(256) as u8;
        }
        sum
    }

    #[test]
    fn secrets_do_not_print() {
        let printed = format!("{:?}", SigningKey::from_seed(&[0xab; 32]));
        assert!(printed.contains("redacted"));
        assert!(!printed.contains("abab") && !printed.contains("171"));
    }
}
