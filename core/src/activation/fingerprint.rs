//! What a host looks like, without saying what it is.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::document::cbor::Value;
use crate::error::{Error, Result};

/// The most components of a fingerprint.
const MAX_COMPONENTS: usize = 16;

/// Keyed hashes of what the caller knows of the host: a machine id, a disk, a board.
///
/// Each is the first eight bytes of HMAC-SHA-256 under the product, so that the same machine looks
/// different to every product.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprint(BTreeSet<[u8; 8]>);

impl Fingerprint {
    /// Hashes components, each a name and a value; empty values are left out.
    ///
    /// `malformed` for more than 16.
    pub fn new(product: &str, components: &[(&str, &str)]) -> Result<Self> {
        let mut hashes = BTreeSet::new();
        for (name, value) in components.iter().filter(|(_, value)| !value.is_empty()) {
            hashes.insert(hash(product, name, value)?);
        }
        Self::bounded(hashes)
    }

    fn bounded(hashes: BTreeSet<[u8; 8]>) -> Result<Self> {
        if hashes.len() > MAX_COMPONENTS {
            return Err(Error::new(
                "malformed",
                "a fingerprint has at most 16 components",
            ));
        }
        Ok(Self(hashes))
    }

    /// How many components there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the caller gave none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of this fingerprint's components `now` still has.
    pub fn matched(&self, now: &Fingerprint) -> usize {
        self.0.intersection(&now.0).count()
    }

    pub(super) fn to_value(&self) -> Option<Value<'_>> {
        let items: Vec<_> = self.0.iter().map(|hash| Value::bytes(hash)).collect();
        (!items.is_empty()).then_some(Value::Array(items))
    }

    pub(super) fn from_value(value: Option<&Value<'_>>) -> Result<Self> {
        let items = value.map_or(Ok(&[][..]), Value::as_array)?;
        Self::bounded(items.iter().map(Value::as_exact).collect::<Result<_>>()?)
    }
}

fn hash(product: &str, name: &str, value: &str) -> Result<[u8; 8]> {
    let key = format!("mintreu/fingerprint/1\0{product}");
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map_err(|_| Error::new("malformed", "the product's code can't be a key"))?;
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(value.as_bytes());
    let mut short = [0; 8];
    short.copy_from_slice(&mac.finalize().into_bytes()[..8]);
    Ok(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::Matching;

    #[test]
    fn components_match_by_name_value_and_product() {
        let host = |product, disk| {
            Fingerprint::new(
                product,
                &[("machine", "m-1"), ("disk", disk), ("board", "")],
            )
        };
        let known = host("acme", "d-1").expect("a fingerprint");
        assert_eq!(known.len(), 2);
        let changed = host("acme", "d-2").expect("a fingerprint");
        assert_eq!(known.matched(&changed), 1);
        assert_eq!(
            known.matched(&host("other", "d-1").expect("a fingerprint")),
            0
        );
        let swapped = Fingerprint::new("acme", &[("disk", "m-1")]).expect("a fingerprint");
        assert_eq!(known.matched(&swapped), 0);
        let value = known.to_value();
        assert_eq!(Fingerprint::from_value(value.as_ref()), Ok(known));
    }

    #[test]
    fn policies_count_what_matched() {
        let enough = |policy: Matching| (0..=4).map(move |matched| policy.satisfied(matched, 4));
        let table = [
            (Matching::Ignore, [true, true, true, true, true]),
            (Matching::Any, [false, true, true, true, true]),
            (Matching::Two, [false, false, true, true, true]),
            (Matching::Most, [false, false, false, true, true]),
            (Matching::All, [false, false, false, false, true]),
        ];
        for (policy, expected) in table {
            assert_eq!(enough(policy).collect::<Vec<_>>(), expected, "{policy:?}");
        }
        assert!(
            !Matching::All.satisfied(0, 0),
            "nothing recorded proves nothing"
        );
    }
}
