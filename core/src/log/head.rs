//! Tree heads: the log's signed word on what it holds.

use super::tree::{Hash, MAX_SIZE};
use crate::document::cbor::{self, Value};
use crate::document::{
    ISSUED_AT, Kind, PRIVATE, PublicKey, SigningKey, open, private_claims, seal,
};
use crate::error::{Error, Result};
use crate::time::Timestamp;

const ORIGIN: i64 = 1;
const SIZE: i64 = 2;
const ROOT: i64 = 3;
const PART: i64 = 4;

/// The most bytes of an origin or of whose part it is.
const MAX_NAME: usize = 128;

/// A log at an instant: so many leaves, with this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// The log's name, which never changes.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// When that was so.
    pub issued_at: Timestamp,
    /// Which of the leaves are somebody's, where the log says so.
    pub part: Option<Part>,
}

/// The log's word that among its leaves exactly these are somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose: an account's id.
    pub of: String,
    /// How many leaves.
    pub size: u64,
    /// The root of a tree of those leaves alone, in their order.
    pub root: Hash,
}

fn malformed(detail: &'static str) -> Error {
    Error::new("malformed", detail)
}

impl TreeHead {
    /// A head; `malformed` or `too_large` when it can't be one.
    pub fn new(origin: &str, size: u64, root: Hash, issued_at: Timestamp) -> Result<Self> {
        let head = Self {
            origin: origin.to_owned(),
            size,
            root,
            issued_at: Timestamp::from_secs(issued_at.secs()),
            part: None,
        };
        head.check()?;
        Ok(head)
    }

    fn check(&self) -> Result<()> {
        check_name(&self.origin)?;
        if self.size > MAX_SIZE {
            return Err(Error::new("too_large", "no log is that large"));
        }
        let Some(part) = &self.part else {
            return Ok(());
        };
        check_name(&part.of)?;
        if part.size > self.size {
            return Err(malformed("a part is not larger than the log"));
        }
        Ok(())
    }

    /// Signs it with the log's key.
    pub fn issue(&self, key: &SigningKey) -> Result<Vec<u8>> {
        self.check()?;
        let part = match &self.part {
            None => None,
            Some(part) => Some(Value::Array(vec![
                Value::text(&part.of),
                count(part.size)?,
                Value::bytes(&part.root),
            ])),
        };
        let private = Value::labelled([
            (ORIGIN, Some(Value::text(&self.origin))),
            (SIZE, Some(count(self.size)?)),
            (ROOT, Some(Value::bytes(&self.root))),
            (PART, part),
        ]);
        let claims = cbor::encode(&Value::labelled([
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs()))),
            (PRIVATE, Some(private)),
        ]))?;
        seal(Kind::TreeHead, &claims, key)
    }

    /// Verifies a head with the log's public key; errors as for every document.
    pub fn verify(document: &[u8], key: &PublicKey) -> Result<Self> {
        let claims = cbor::decode(open(Kind::TreeHead, document, &[key])?)?;
        let issued_at = claims.need(ISSUED_AT, "instant of issue")?.as_int()?;
        let private = private_claims(&claims)?.ok_or_else(|| malformed("the head is empty"))?;
        let mut head = Self::new(
            private.need(ORIGIN, "origin")?.as_text()?,
            private.need(SIZE, "size")?.as_count()?,
            private.need(ROOT, "root")?.as_exact()?,
            Timestamp::from_secs(issued_at),
        )?;
        head.part = private.at(PART).map(read_part).transpose()?;
        head.check()?;
        Ok(head)
    }
}

fn read_part(value: &Value<'_>) -> Result<Part> {
    let [of, size, root] = value.as_array()? else {
        return Err(malformed("a part of the log has three fields"));
    };
    Ok(Part {
        of: of.as_text()?.to_owned(),
        size: size.as_count()?,
        root: root.as_exact()?,
    })
}

fn check_name(text: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_graphic();
    if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(plain) {
        return Err(malformed(
            "a log's name has 1 to 128 printable characters without spaces",
        ));
    }
    Ok(())
}

fn count(number: u64) -> Result<Value<'static>> {
    let number = i64::try_from(number).map_err(|_| malformed("a number is out of range"))?;
    Ok(Value::Int(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    #[test]
    fn heads_come_back_with_and_without_a_part() {
        let now = Timestamp::from_secs(1_795_008_000);
        let mut head = TreeHead::new("ten_1", 5, [3; 32], now).expect("a head");
        for part in [None, Some(("acc_1", 2))] {
            head.part = part.map(|(of, size)| Part {
                of: of.to_owned(),
                size,
                root: [4; 32],
            });
            let document = head.issue(&key()).expect("signs");
            let read = TreeHead::verify(&document, key().public()).expect("verifies");
            assert_eq!(read, head);
            let other = SigningKey::from_seed(&[2; 32]);
            assert!(TreeHead::verify(&document, other.public()).is_err());
            for bit in 0..document.len() * 8 {
                let mut bent = document.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                assert!(
                    TreeHead::verify(&bent, key().public()).is_err(),
                    "bit {bit}"
                );
            }
        }
        head.part = Some(Part {
            of: "acc_1".to_owned(),
            size: 6,
            root: [4; 32],
        });
        assert!(head.issue(&key()).is_err(), "a part larger than the log");
        assert!(TreeHead::new("", 0, [0; 32], now).is_err());
        assert!(TreeHead::new("a b", 0, [0; 32], now).is_err());
        assert!(TreeHead::new("a", MAX_SIZE + 1, [0; 32], now).is_err());
    }
}
