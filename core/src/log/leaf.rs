//! A leaf: what the log keeps of a license.

use sha2::{Digest, Sha256};

use super::tree::{Hash, leaf_hash};
use crate::document::Bundle;
use crate::document::cbor::{self, Value};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::license::check_name;
use crate::time::Timestamp;

/// The only form there is, yet.
const FORM: i64 = 1;

/// What the log keeps of a license: for what, which, since when, and the hash of its document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Leaf {
    product: String,
    license: LicenseId,
    issued_at: Timestamp,
    document: Hash,
}

impl Leaf {
    /// A leaf; `issued_at` counts in whole seconds. `malformed` for what is no product code.
    pub fn new(
        product: &str,
        license: LicenseId,
        issued_at: Timestamp,
        document: Hash,
    ) -> Result<Self> {
        Ok(Self {
            product: check_name(product)?.to_owned(),
            license,
            issued_at: Timestamp::from_secs(issued_at.secs()),
            document,
        })
    }

    /// The product's code.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The license's id.
    pub const fn license(&self) -> LicenseId {
        self.license
    }

    /// The license's `iat`.
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// SHA-256 of the license's document, [`document_hash`].
    pub const fn document(&self) -> &Hash {
        &self.document
    }

    /// The one encoding: deterministic CBOR of `[1, product, license, iat, hash]`.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        cbor::encode(&Value::Array(vec![
            Value::Int(FORM),
            Value::text(&self.product),
            Value::bytes(self.license.as_bytes()),
            Value::Int(self.issued_at.secs()),
            Value::bytes(&self.document),
        ]))
    }

    /// Reads what [`Leaf::to_bytes`] wrote; `unsupported` for another form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let value = cbor::decode(bytes)?;
        let [form, product, license, issued_at, document] = value.as_array()? else {
            return Err(Error::new("malformed", "a leaf of the log has five parts"));
        };
        if form.as_int()? != FORM {
            let detail = "a leaf of a form that this version doesn't know";
            return Err(Error::new("unsupported", detail));
        }
        Self::new(
            product.as_text()?,
            LicenseId::from_bytes(license.as_exact()?),
            Timestamp::from_secs(issued_at.as_int()?),
            document.as_exact()?,
        )
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> Result<Hash> {
        Ok(leaf_hash(&self.to_bytes()?))
    }
}

/// SHA-256 of the document in a license's bundle.
///
/// The certificates beside it don't count: they vouch for the document and can be exchanged
/// without it.
pub fn document_hash(bundle: &[u8]) -> Result<Hash> {
    Ok(Sha256::digest(Bundle::from_bytes(bundle)?.document()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_has_one_encoding() {
        let id = LicenseId::from_bytes([7; 16]);
        let at = Timestamp::from_ms(1_795_008_000_999);
        let leaf = Leaf::new("acme.editor", id, at, [9; 32]).expect("a leaf");
        let bytes = leaf.to_bytes().expect("encodes");
        assert_eq!(bytes[..2], [0x85, 0x01]);
        assert_eq!(bytes.len(), 2 + 12 + 17 + 5 + 34);
        assert_eq!(Leaf::from_bytes(&bytes).expect("reads"), leaf);
        assert_eq!(leaf.issued_at().ms(), 1_795_008_000_000);
        for cut in 0..bytes.len() {
            assert!(Leaf::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let other = [&[0x85, 0x02], &bytes[2..]].concat();
        let refused = Leaf::from_bytes(&other).expect_err("another form");
        assert_eq!(refused.code(), "unsupported");
        assert!(Leaf::new("two words", id, at, [9; 32]).is_err());
    }
}
