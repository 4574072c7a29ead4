//! A head, a seller's leaf, and what can be refused. Pure.

use crate::caller::Denied;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::document::PublicKey;
use mintreu::id::AccountId;
use mintreu::log::{Hash, Leaf};

/// A signed head, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// The signed document.
    pub document: Vec<u8>,
    /// When it was signed.
    pub signed_at: Timestamp,
}

/// A log as anybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its name.
    pub origin: String,
    /// What its heads verify with.
    pub key: PublicKey,
    /// One of its heads.
    pub head: Head,
}

/// A leaf that waits for its places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Whose product it is for.
    pub seller: AccountId,
    /// What will be hashed.
    pub leaf: Leaf,
}

/// One of a seller's own leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its place in the log.
    pub index: u64,
    /// Its place among the seller's leaves.
    pub part_index: u64,
    /// What was hashed.
    pub leaf: Leaf,
}

/// Why the log refused.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No such license, head or log, or not for this caller to see.
    #[error("there is no such thing in the log")]
    NotFound,
    /// The license waits for its place.
    #[error("this license waits for its place in the log; ask again in some seconds")]
    Pending,
    /// The log has no such sizes or leaves, or too many were asked for.
    #[error("the log has no such range: {0}")]
    Range(&'static str),
    /// Hashing, signing or sealing failed: a defect of ours or a wrong key-encryption key.
    #[error("the log can't be continued: {0}")]
    Broken(mintreu::Error),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LogError> for JobError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Store(error) => Self::retry(error),
            other => Self::fail(other),
        }
    }
}

/// A hash as people and files write it.
pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads what [`hex`] wrote.
pub fn from_hex(text: &str) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect::<Option<Vec<u8>>>()?;
    Hash::try_from(bytes).ok().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_one_way() {
        let hash: Hash = std::array::from_fn(|at| at as u8 * 8 + 7);
        assert_eq!(from_hex(&hex(&hash)), Some(hash));
        let text = hex(&hash);
        assert_eq!(from_hex(&text.to_uppercase()), None);
        assert_eq!(from_hex(&text[1..]), None);
        assert_eq!(from_hex(&format!("{text}00")), None);
        assert_eq!(from_hex(&text.replace('0', "+")), None);
    }
}
