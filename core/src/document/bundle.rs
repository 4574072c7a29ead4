//! What people paste, load or scan: a document with the certificates that vouch for its key.

use super::sign1::split_first;
use super::{Kind, kind_of};
use crate::error::{Error, Result};

/// The most certificates between a root and a document: root → seller → product.
pub const MAX_CERTIFICATES: usize = 2;

/// At most two certificates, the root's first, and one document.
///
/// Its bytes are a CBOR sequence (RFC 8742): the COSE_Sign1 items one after the other, the
/// document last. So a document alone is a bundle too, and a bundle cut short never passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle<'a> {
    certificates: Vec<&'a [u8]>,
    document: &'a [u8],
    kind: Kind,
}

fn malformed(detail: &'static str) -> Error {
    Error::new("malformed", detail)
}

impl<'a> Bundle<'a> {
    /// Puts certificates before a document; `malformed` when there are too many or they aren't
    /// certificates.
    pub fn new(certificates: Vec<&'a [u8]>, document: &'a [u8]) -> Result<Self> {
        let kinds = certificates.iter().map(|certificate| kind_of(certificate));
        let kinds = kinds.collect::<Result<Vec<_>>>()?;
        Self::of(certificates, &kinds, document, kind_of(document)?)
    }

    fn of(
        certificates: Vec<&'a [u8]>,
        kinds: &[Kind],
        document: &'a [u8],
        kind: Kind,
    ) -> Result<Self> {
        if certificates.len() > MAX_CERTIFICATES {
            return Err(malformed("a bundle holds at most two certificates"));
        }
        if kinds.iter().any(|&kind| kind != Kind::Certificate) {
            return Err(malformed("only certificates may come before the document"));
        }
        Ok(Self {
            certificates,
            document,
            kind,
        })
    }

    /// Takes a bundle apart. Nothing of it is believed yet.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        let (mut items, mut kinds) = (Vec::new(), Vec::new());
        let mut rest = bytes;
        while items.is_empty() || !rest.is_empty() {
            if items.len() > MAX_CERTIFICATES {
                return Err(malformed("a bundle holds at most two certificates"));
            }
            let (parts, after) = split_first(rest)?;
            items.push(&rest[..rest.len() - after.len()]);
            kinds.push(parts.kind);
            rest = after;
        }
        let last = items.pop().zip(kinds.pop());
        let (document, kind) = last.ok_or_else(|| malformed("the bundle is empty"))?;
        Self::of(items, &kinds, document, kind)
    }

    /// The bytes of the whole bundle.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.certificates.concat();
        bytes.extend_from_slice(self.document);
        bytes
    }

    /// The certificates' bytes, the root's first.
    pub fn certificates(&self) -> &[&'a [u8]] {
        &self.certificates
    }

    /// The document's bytes.
    pub fn document(&self) -> &'a [u8] {
        self.document
    }

    /// What the document says it is; not yet verified.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{SigningKey, seal};

    #[test]
    fn bundles_come_back_as_they_were() {
        let key = SigningKey::from_seed(&[3; 32]);
        let document = |kind| seal(kind, &[0xa0], &key).expect("seals");
        let (certificate, license) = (document(Kind::Certificate), document(Kind::License));
        for count in 0..=MAX_CERTIFICATES {
            let bundle = Bundle::new(vec![&certificate; count], &license).expect("fits");
            let bytes = bundle.to_bytes();
            assert_eq!(Bundle::from_bytes(&bytes).expect("parses"), bundle);
            for cut in 0..bytes.len() {
                let kind = Bundle::from_bytes(&bytes[..cut]).map(|bundle| bundle.kind());
                assert_ne!(kind, Ok(Kind::License), "cut at {cut}");
            }
        }
        assert!(Bundle::new(vec![&certificate; 3], &license).is_err());
        assert!(Bundle::new(vec![&license], &license).is_err());
        let four = [certificate.repeat(3), license].concat();
        assert!(Bundle::from_bytes(&four).is_err());
    }
}
