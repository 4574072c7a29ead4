//! What a cell counts: a subject, a meter and a few dimensions, in one canonical byte form.

use crate::document::cbor::{self, Value};
use crate::error::{Error, Result};

/// The most bytes a cell's canonical key may take; longer keys are refused with `key_too_long`.
pub const MAX_KEY_BYTES: usize = 208;
/// The most dimensions one cell may have.
pub const MAX_DIMENSIONS: usize = 8;

/// The name of one count: whose use (an opaque id, empty for the device itself), of what meter,
/// split by which dimensions.
///
/// Two keys are equal exactly when their canonical bytes are: dimensions are kept in the order of
/// deterministic CBOR (RFC 8949 §4.2.1), whatever order they were given in.
///
/// ```
/// use mintreu::meter::CellKey;
/// let a = CellKey::new("api.calls")?.dimension("region", "eu")?.dimension("tier", "pro")?;
/// let b = CellKey::new("api.calls")?.dimension("tier", "pro")?.dimension("region", "eu")?;
/// assert_eq!(a, b);
/// assert_eq!(CellKey::from_bytes(&a.to_bytes())?, a);
/// # Ok::<(), mintreu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CellKey {
    meter: String,
    subject: String,
    dimensions: Vec<(String, String)>,
}

impl CellKey {
    /// A key for the whole device: no subject, no dimensions.
    pub fn new(meter: impl Into<String>) -> Result<Self> {
        let meter = meter.into();
        if meter.is_empty() {
            return Err(Error::new("meter_name_invalid", "a meter needs a name"));
        }
        Self {
            meter,
            subject: String::new(),
            dimensions: Vec::new(),
        }
        .checked()
    }

    /// The same key for one subject: an opaque id, never a name, an address or an API key itself.
    pub fn subject(mut self, subject: impl Into<String>) -> Result<Self> {
        self.subject = subject.into();
        self.checked()
    }

    /// The same key with one more dimension; naming a dimension twice is refused.
    pub fn dimension(mut self, name: impl Into<String>, value: impl Into<String>) -> Result<Self> {
        let (name, value) = (name.into(), value.into());
        let place = self
            .dimensions
            .binary_search_by(|(known, _)| cbor_text_order(known, &name));
        match place {
            Ok(_) => Err(Error::new(
                "dimension_repeated",
                format!("the dimension {name:?} is given twice"),
            )),
            Err(index) => {
                self.dimensions.insert(index, (name, value));
                self.checked()
            }
        }
    }

    /// The meter's name.
    pub fn meter(&self) -> &str {
        &self.meter
    }

    /// The subject's opaque id; empty for the device itself.
    pub fn subject_id(&self) -> &str {
        &self.subject
    }

    /// The dimensions in canonical order.
    pub fn dimensions(&self) -> &[(String, String)] {
        &self.dimensions
    }

    /// The canonical bytes: `[subject, meter, {dimension: value}]` in deterministic CBOR.
    pub fn to_bytes(&self) -> Vec<u8> {
        let encoded = cbor::encode(&Value::Array(self.to_items().into()));
        debug_assert!(
            encoded.is_ok(),
            "dimensions are unique, so that encoding cannot fail"
        );
        encoded.unwrap_or_default()
    }

    /// Reads canonical bytes; anything else is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match cbor::decode(bytes)?.as_array()? {
            [subject, meter, dimensions] => Self::from_items(subject, meter, dimensions),
            _ => Err(malformed("a cell key has three items")),
        }
    }

    /// Subject, meter and dimensions as items of claims.
    pub(crate) fn to_items(&self) -> [Value<'_>; 3] {
        let pairs = self
            .dimensions
            .iter()
            .map(|(n, v)| (Value::text(n), Value::text(v)));
        [
            Value::text(&self.subject),
            Value::text(&self.meter),
            Value::Map(pairs.collect()),
        ]
    }

    /// Reads what [`to_items`](Self::to_items) gave.
    pub(crate) fn from_items(
        subject: &Value<'_>,
        meter: &Value<'_>,
        dimensions: &Value<'_>,
    ) -> Result<Self> {
        let key = Self::new(meter.as_text()?)?.subject(subject.as_text()?)?;
        dimensions
            .as_map()?
            .iter()
            .try_fold(key, |key, (name, value)| {
                key.dimension(name.as_text()?, value.as_text()?)
            })
    }

    fn encoded_len(&self) -> usize {
        let text = |text: &str| text.len() + head_len(text.len());
        let pairs: usize = self.dimensions.iter().map(|(n, v)| text(n) + text(v)).sum();
        2 + text(&self.subject) + text(&self.meter) + pairs
    }

    fn checked(self) -> Result<Self> {
        if self.dimensions.len() > MAX_DIMENSIONS {
            return Err(Error::new(
                "too_many_dimensions",
                format!("a count may have at most {MAX_DIMENSIONS} dimensions"),
            ));
        }
        let len = self.encoded_len();
        if len > MAX_KEY_BYTES {
            return Err(Error::new(
                "key_too_long",
                format!(
                    "subject, meter and dimensions take {len} bytes of at most {MAX_KEY_BYTES}"
                ),
            ));
        }
        Ok(self)
    }
}

/// Keys sort as their canonical bytes do.
impl Ord for CellKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.to_bytes().cmp(&other.to_bytes())
    }
}

impl PartialOrd for CellKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// How deterministic CBOR orders two short texts: by length, then by bytes.
fn cbor_text_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.len()
        .cmp(&b.len())
        .then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

fn head_len(len: usize) -> usize {
    match len {
        0..24 => 1,
        24..256 => 2,
        _ => 3,
    }
}

pub(crate) fn malformed(detail: &'static str) -> Error {
    Error::new("usage_malformed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_have_limits_and_say_so() {
        let long = CellKey::new("m".repeat(300)).expect_err("too long");
        assert_eq!(long.code(), "key_too_long");
        assert_eq!(
            CellKey::new("").expect_err("empty").code(),
            "meter_name_invalid"
        );
        let twice = CellKey::new("m")
            .and_then(|k| k.dimension("a", "1"))
            .and_then(|k| k.dimension("a", "2"))
            .expect_err("repeated");
        assert_eq!(twice.code(), "dimension_repeated");
        let mut key = CellKey::new("m").unwrap();
        for index in 0..MAX_DIMENSIONS {
            key = key.dimension(format!("d{index}"), "x").unwrap();
        }
        assert_eq!(
            key.dimension("more", "x").expect_err("nine").code(),
            "too_many_dimensions"
        );
    }

    proptest! {
        #[test]
        fn bytes_round_trip(
            meter in "[a-z.]{1,20}", subject in "[a-z0-9]{0,24}",
            dims in proptest::collection::btree_map("[a-z]{1,8}", "[a-z0-9]{0,8}", 0..6),
        ) {
            let mut key = CellKey::new(meter).unwrap().subject(subject).unwrap();
            for (name, value) in dims {
                key = key.dimension(name, value).unwrap();
            }
            let bytes = key.to_bytes();
            prop_assert_eq!(bytes.len(), key.encoded_len());
            prop_assert_eq!(CellKey::from_bytes(&bytes).unwrap(), key);
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(key) = CellKey::from_bytes(&bytes) {
                prop_assert_eq!(key.to_bytes(), bytes);
            }
        }
    }
}
