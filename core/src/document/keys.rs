//! Ed25519 keys: what may be loaded, how they are named, and the one place that verifies.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Error, Result};

/// The first eight bytes of a key's COSE thumbprint: a hint which key signed, never an identity.
pub type Kid = [u8; 8];

/// What the text of a public key starts with.
const TEXT_PREFIX: &str = "MT1K-";

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
    /// accept signatures that are refused singly.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<()> {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key
            .verify_strict(message, &signature)
            .map_err(|_| Error::new("bad_signature", "the signature does not fit the document"))
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

    #[test]
    fn secrets_do_not_print() {
        let printed = format!("{:?}", SigningKey::from_seed(&[0xab; 32]));
        assert!(printed.contains("redacted"));
        assert!(!printed.contains("abab") && !printed.contains("171"));
    }
}
