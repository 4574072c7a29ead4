//! Verified licenses by digest, so that the second look costs a hash instead of a signature.

use std::sync::Arc;

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::license::{Trust, VerifiedLicense, verify};

/// Remembers which bundles hold under one trust.
///
/// Only successes are kept: garbage can't push good entries out. What is remembered is that the
/// signatures hold, which never changes; whether the license holds *now* is judged each time.
#[derive(Debug, Clone)]
pub struct VerifiedCache {
    trust: Trust,
    known: Cache<[u8; 32], Arc<VerifiedLicense>>,
}

impl VerifiedCache {
    /// Remembers up to `capacity` licenses.
    pub fn new(trust: Trust, capacity: u64) -> Self {
        Self {
            trust,
            known: Cache::new(capacity),
        }
    }

    /// As [`verify`], from memory when these very bytes were verified before.
    pub fn verify(&self, bundle: &[u8]) -> Result<Arc<VerifiedLicense>> {
        let digest: [u8; 32] = Sha256::digest(bundle).into();
        if let Some(known) = self.known.get(&digest) {
            return Ok(known);
        }
        let license = Arc::new(verify(bundle, &self.trust)?);
        self.known.insert(digest, Arc::clone(&license));
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
    use crate::document::SigningKey;
    use crate::id::LicenseId;
    use crate::license::{Claims, issue};
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
}
