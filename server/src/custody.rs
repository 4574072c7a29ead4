//! Custody of secrets: sealing at rest and keyed hashing, both under the key-encryption key.
//!
//! Invariants
//! * The key-encryption key encrypts nothing itself: each purpose has its own key, derived by
//!   HMAC-SHA-256, so that what leaks of one purpose says nothing of another.
//! * A sealed blob names its purpose as associated data: it opens for that purpose only.
//! * No key is printed or compared; all are wiped when dropped.
//! * Hashes outlive the key-encryption key: the secret they are made with is kept sealed, so that
//!   codes and sessions are still found under another key.
//!
//! Tables: `house_secret`.

pub mod sql;

use crate::store::{StoreError, Tx};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// The first byte of a sealed blob: AES-256-GCM, then 12 bytes of nonce, ciphertext and tag.
const FORMAT: u8 = 1;

/// The server's key-encryption key and what is done with it.
pub struct Custody {
    kek: Zeroizing<[u8; 32]>,
    /// What hashes are made with: derived from the first key-encryption key of this database.
    macs: Zeroizing<[u8; 32]>,
}

/// The name of the hashes' secret among the house's, and what it is sealed for.
const MACS: &str = "custody.macs";

impl Custody {
    /// Custody under the 32 bytes of a key-encryption key.
    pub fn new(kek: [u8; 32]) -> Self {
        Self {
            macs: Zeroizing::new(hmac(&kek, &[b"mintreu macs"])),
            kek: Zeroizing::new(kek),
        }
    }

    /// Reads a key-encryption key's text: 32 bytes in standard base64, as `openssl rand -base64 32`
    /// prints them.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let kek = <[u8; 32]>::try_from(bytes.as_slice()).ok()?;
        Some(Self::new(kek))
    }

    /// Takes on the hashes' secret that the database keeps, and keeps it there if it does not yet.
    /// `None`: this key-encryption key is not the one that the database's secrets are sealed under.
    pub fn settle(mut self, tx: &mut dyn Tx, nonce: [u8; 12]) -> Result<Option<Self>, StoreError> {
        let Some(sealed) = sql::find(tx, MACS)? else {
            self.keep_macs(tx, nonce)?;
            return Ok(Some(self));
        };
        let opened = self.unseal(MACS, &sealed);
        let macs = opened.and_then(|plain| <[u8; 32]>::try_from(plain.as_slice()).ok());
        Ok(macs.map(|macs| {
            self.macs = Zeroizing::new(macs);
            self
        }))
    }

    /// As another key's successor: seals under its own key, hashes as `former` does.
    #[must_use]
    pub fn succeeding(mut self, former: &Custody) -> Self {
        self.macs = former.macs.clone();
        self
    }

    /// Writes the hashes' secret, sealed under this key.
    pub fn keep_macs(&self, tx: &mut dyn Tx, nonce: [u8; 12]) -> Result<(), StoreError> {
        sql::put(tx, MACS, &self.seal(MACS, self.macs.as_slice(), nonce))
    }

    /// Seals `plain` for `purpose` (which is authenticated, so that blobs can't be swapped).
    /// `nonce` is fresh randomness: `cx.random()`.
    pub fn seal(&self, purpose: &str, plain: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        let payload = Payload {
            msg: plain,
            aad: purpose.as_bytes(),
        };
        let sealed = self
            .cipher(purpose)
            .encrypt(&Nonce::from(nonce), payload)
            .expect("AES-GCM seals anything shorter than 64 GiB");
        let mut blob = Vec::with_capacity(1 + nonce.len() + sealed.len());
        blob.push(FORMAT);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&sealed);
        blob
    }

    /// Opens what [`Custody::seal`] made for the same purpose; `None` for anything else.
    pub fn unseal(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&format, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<12>()?;
        if format != FORMAT {
            return None;
        }
        let payload = Payload {
            msg: ciphertext,
            aad: purpose.as_bytes(),
        };
        let plain = self
            .cipher(purpose)
            .decrypt(&Nonce::from(*nonce), payload)
            .ok()?;
        Some(Zeroizing::new(plain))
    }

    /// HMAC-SHA-256 under a key derived for `purpose`: look-up hashes of codes and tokens.
    pub fn mac(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        hmac(&derive(&self.macs, "mac", purpose), &[data])
    }

    fn cipher(&self, purpose: &str) -> Aes256Gcm {
        let key = derive(&self.kek, "seal", purpose);
        Aes256Gcm::new(&(*key).into())
    }
}

/// The key of one use and purpose; the use's NUL keeps ("a", "bc") and ("ab", "c") apart.
fn derive(root: &[u8; 32], usage: &str, purpose: &str) -> Zeroizing<[u8; 32]> {
    let label = [b"mintreu ", usage.as_bytes(), b"\0", purpose.as_bytes()];
    Zeroizing::new(hmac(root, &label))
}

impl fmt::Debug for Custody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custody(redacted)")
    }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let custody = Custody::new([7; 32]);
        let sealed = custody.seal("seller-root", b"seed", [1; 12]);
        let opened = custody.unseal("seller-root", &sealed);
        assert_eq!(opened.as_deref().map(Vec::as_slice), Some(&b"seed"[..]));
        assert_eq!(custody.unseal("product-key", &sealed), None);
        assert_eq!(Custody::new([8; 32]).unseal("seller-root", &sealed), None);
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(custody.unseal("seller-root", &bent), None, "byte {at}");
            assert_eq!(custody.unseal("seller-root", &sealed[..at]), None);
        }
    }

    #[test]
    fn hashes_differ_by_purpose_and_key() {
        let custody = Custody::new([7; 32]);
        assert_eq!(custody.mac("a", b"bc"), custody.mac("a", b"bc"));
        assert_ne!(custody.mac("a", b"bc"), custody.mac("ab", b"c"));
        assert_ne!(
            custody.mac("a", b"bc"),
            Custody::new([8; 32]).mac("a", b"bc")
        );
        assert!(!format!("{custody:?}").contains('7'));
        let next = Custody::new([8; 32]).succeeding(&custody);
        assert_eq!(next.mac("a", b"bc"), custody.mac("a", b"bc"));
        assert_eq!(custody.unseal("a", &next.seal("a", b"bc", [1; 12])), None);
    }

    #[test]
    fn a_key_is_read_from_base64_of_32_bytes() {
        assert!(Custody::from_text(&format!("{}\n", STANDARD.encode([1; 32]))).is_some());
        assert!(Custody::from_text(&STANDARD.encode([1; 31])).is_none());
        assert!(Custody::from_text("password").is_none());
    }
}
