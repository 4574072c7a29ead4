//! Custody of secrets: sealing at rest and keyed hashing, both under the key-encryption key.

/// The server's key-encryption key and what is done with it.
pub struct Custody {}

impl Custody {
    /// Seals `plain` for `purpose` (which is authenticated, so that blobs can't be swapped).
    pub fn seal(&self, _purpose: &str, _plain: &[u8], _nonce: [u8; 12]) -> Vec<u8> {
        unimplemented!()
    }

    /// Opens what [`Custody::seal`] made for the same purpose.
    pub fn unseal(&self, _purpose: &str, _sealed: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        unimplemented!()
    }

    /// HMAC-SHA-256 under a key derived for `purpose`: look-up hashes of codes and tokens.
    pub fn mac(&self, _purpose: &str, _data: &[u8]) -> [u8; 32] {
        unimplemented!()
    }
}
