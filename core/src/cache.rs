//! Verified licenses by their bytes, so that the second look costs a hash instead of a signature.

use std::sync::Arc;

use foldhash::quality::RandomState;
use moka::sync::Cache;

use crate::document::PublicKey;
use crate::error::Result;
use crate::license::{Anchor, Certificate, Trust, VerifiedLicense, verify};

/// The most certificates that are remembered: a seller has few.
const MAX_CERTIFICATES: u64 = 256;

/// Remembers which bundles hold under one trust, and which certificates they hang on.
///
/// Only successes are kept: garbage can't push good entries out. What is remembered is that the
/// signatures hold, which never changes; whether the license holds *now* is judged each time.
#[derive(Debug, Clone)]
pub struct VerifiedCache {
    trust: Trust,
    // Looked up by a quick seeded hash and compared byte by byte: a digest would cost more than all
    // the rest, and only what was verified is ever put in, so nobody can make hashes collide.
    known: Option<Cache<Box<[u8]>, Arc<VerifiedLicense>, RandomState>>,
    certificates: Cache<Box<[u8]>, Arc<(PublicKey, Certificate)>, RandomState>,
}

/// A license that wasn't seen before is opened with the certificates that were.
impl Anchor for VerifiedCache {
    fn trust(&self) -> &Trust {
        &self.trust
    }

    fn remembered(&self, certificate: &[u8]) -> Option<(PublicKey, Certificate)> {
        let known = self.certificates.get(certificate)?;
        Some((known.0, known.1.clone()))
    }

    fn remember(&self, bytes: &[u8], parent: &PublicKey, certificate: &Certificate) {
        let known = Arc::new((*parent, certificate.clone()));
        self.certificates.insert(bytes.into(), known);
    }
}

fn cache<V: Clone + Send + Sync + 'static>(capacity: u64) -> Cache<Box<[u8]>, V, RandomState> {
    Cache::builder()
        .max_capacity(capacity)
        .build_with_hasher(RandomState::default())
}

impl VerifiedCache {
    /// Remembers up to `capacity` licenses, and 256 certificates; with no room for licenses, for
    /// callers that see each one once, nothing is spent on them.
    pub fn new(trust: Trust, capacity: u64) -> Self {
        Self {
            trust,
            known: (capacity > 0).then(|| cache(capacity)),
            certificates: cache(MAX_CERTIFICATES),
        }
    }

    /// As [`verify`], from memory when these very bytes were verified before.
    pub fn verify(&self, bundle: &[u8]) -> Result<Arc<VerifiedLicense>> {
        if let Some(known) = self.known.as_ref().and_then(|known| known.get(bundle)) {
            return Ok(known);
        }
        let license = Arc::new(verify(bundle, self)?);
        if let Some(known) = &self.known {
            known.insert(bundle.into(), Arc::clone(&license));
        }
        Ok(license)
    }

    /// What is trusted.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Kind, SigningKey};
    use crate::id::LicenseId;
    use crate::license::{Claims, Products, issue};
    use crate::time::Timestamp;

    #[test]
    fn the_same_bytes_are_verified_once_and_others_never_pass() {
        let key = SigningKey::from_seed(&[1; 32]);
        let claims = Claims::new(LicenseId::from_bytes([1; 16]), "p", Timestamp::from_secs(9));
        let bundle = issue(&claims, &key, &[]).expect("issues");
        let cache = VerifiedCache::new(Trust::new("p", *key.public()).expect("a trust"), 10);
        let first = cache.verify(&bundle).expect("verifies");
        let second = cache.verify(&bundle).expect("verifies");
        assert!(Arc::ptr_eq(&first, &second));
        let mut changed = bundle;
        changed[40] ^= 1;
        assert!(cache.verify(&changed).is_err());
        assert!(
            cache.verify(&changed).is_err(),
            "a failure is not remembered as a success"
        );
    }

    fn certificate(seed: u8, parent: u8, delegate: bool) -> Vec<u8> {
        let certificate = Certificate {
            key: *SigningKey::from_seed(&[seed; 32]).public(),
            kinds: vec![Kind::License],
            products: Products::Any,
            issued_at: Timestamp::from_secs(9),
            signs_from: Timestamp::from_secs(9),
            signs_until: None,
            delegate,
            licenses: None,
        };
        let parent = SigningKey::from_seed(&[parent; 32]);
        certificate.issue(&parent).expect("certifies")
    }

    /// What a certificate was found to be holds wherever it stands, and nowhere else.
    #[test]
    fn a_remembered_certificate_is_no_way_round() {
        let [root, seller, product, stranger] =
            [1, 2, 3, 4].map(|seed| SigningKey::from_seed(&[seed; 32]));
        let (first, second) = (certificate(2, 1, true), certificate(3, 2, false));
        let cache = VerifiedCache::new(Trust::new("p", *root.public()).expect("a trust"), 0);
        let license = |number, key: &SigningKey, certificates: &[&[u8]]| {
            let id = LicenseId::from_bytes([number; 16]);
            issue(
                &Claims::new(id, "p", Timestamp::from_secs(9)),
                key,
                certificates,
            )
            .expect("issues")
        };
        let code = |bundle: &[u8]| cache.verify(bundle).map_or_else(|e| e.code(), |_| "ok");
        for number in 0..3 {
            assert_eq!(code(&license(number, &seller, &[&first])), "ok");
            assert_eq!(code(&license(number, &product, &[&first, &second])), "ok");
            assert_eq!(code(&license(number, &stranger, &[&first])), "unknown_key");
            let orphan = license(number, &product, &[&second]);
            assert_eq!(code(&orphan), "unknown_key", "the seller is no root");
            let twice = license(number, &product, &[&first, &first]);
            assert_eq!(code(&twice), "unknown_key", "the root is no seller");
            let mut changed = first.clone();
            *changed.last_mut().expect("a signature") ^= 1;
            let changed = license(number, &seller, &[&changed]);
            assert_eq!(code(&changed), "bad_signature");
            let early = Claims::new(LicenseId::from_bytes([9; 16]), "p", Timestamp::from_secs(8));
            let early = issue(&early, &seller, &[&first]).expect("issues");
            assert_eq!(code(&early), "certificate_out_of_scope");
        }
    }
}
