//! The Merkle tree of RFC 9162 §2.1: hashes, the growing edge, and verifying proofs.

use sha2::{Digest, Sha256};

use super::plan::Node;
use crate::error::{Error, Result};

/// SHA-256.
pub type Hash = [u8; 32];

/// The most leaves of one log.
pub const MAX_SIZE: u64 = 1 << 48;
/// The most hashes of one proof: a consistency proof has one more than the tree has levels.
pub const MAX_PATH: usize = 49;

/// The hash of a leaf (prefix 0x00).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(leaf);
    hasher.finalize().into()
}

/// The hash of two subtrees (prefix 0x01).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The complete subtrees of a tree from left to right, folded to its root.
pub(super) fn fold(peaks: &[Hash]) -> Option<Hash> {
    let (last, rest) = peaks.split_last()?;
    let join = |right: Hash, left: &Hash| node_hash(left, &right);
    Some(rest.iter().rev().fold(*last, join))
}

/// The right edge of a tree: all that is needed to append to it and to know its root.
///
/// At most 48 hashes, whatever the size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The edge of a tree of `size` leaves, from the hashes of its complete subtrees
    /// ([`peaks`](super::peaks) names them), the largest first; `malformed` for another number.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Result<Self> {
        if size > MAX_SIZE || peaks.len() != size.count_ones() as usize {
            return Err(Error::new(
                "malformed",
                "a tree's edge has one hash for each of its complete subtrees",
            ));
        }
        Ok(Self { size, peaks })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of its complete subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        fold(&self.peaks).unwrap_or_else(empty_root)
    }

    /// Appends a leaf by its hash. Answers the nodes that became complete by it: the leaf itself
    /// first, at most 49. `too_large` for a full log.
    pub fn push(&mut self, leaf: Hash) -> Result<Vec<(Node, Hash)>> {
        if self.size >= MAX_SIZE {
            return Err(Error::new("too_large", "the log is full"));
        }
        let (mut hash, mut position) = (leaf, self.size);
        let mut complete = vec![(Node { level: 0, position }, hash)];
        let mut level = 0;
        while position & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            position >>= 1;
            level += 1;
            complete.push((Node { level, position }, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
        Ok(complete)
    }
}

fn not_in_log() -> Error {
    Error::new(
        "not_in_log",
        "the path doesn't lead from this leaf to the root that the log signed",
    )
}

/// Checks that the leaf with this hash is at `index` of the tree with `size` leaves and `root`
/// (RFC 9162 §2.1.3.2); `not_in_log` otherwise, `too_large` beyond the bounds.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<()> {
    check_bounds(size, path)?;
    if index >= size {
        return Err(not_in_log());
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(not_in_log());
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            // On the right edge, levels without a sibling are passed over.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 || hash != *root {
        return Err(not_in_log());
    }
    Ok(())
}

fn rewritten() -> Error {
    Error::new(
        "log_rewritten",
        "the later tree doesn't begin with the earlier one: the log was rewritten, or the proof \
         is not of these two",
    )
}

/// Checks that the tree with the size and root of `new` begins with that of `old`
/// (RFC 9162 §2.1.4.2); `log_rewritten` otherwise, `too_large` beyond the bounds.
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> Result<()> {
    check_bounds(old.0.max(new.0), path)?;
    if old.0 > new.0 {
        return Err(rewritten());
    }
    // Every tree begins with the empty one, and with itself.
    if old.0 == 0 || old.0 == new.0 {
        let begins = if old.0 == 0 {
            *old.1 == empty_root() && (new.0 > 0 || *new.1 == empty_root())
        } else {
            old.1 == new.1
        };
        return if begins && path.is_empty() {
            Ok(())
        } else {
            Err(rewritten())
        };
    }
    let (found_old, found_new) = both_roots(old, new.0, path).ok_or_else(rewritten)?;
    if found_old != *old.1 || found_new != *new.1 {
        return Err(rewritten());
    }
    Ok(())
}

/// The two roots that a consistency path leads to, for 0 < old < new.
fn both_roots(old: (u64, &Hash), new: u64, path: &[Hash]) -> Option<(Hash, Hash)> {
    // An old tree that is one complete subtree is not repeated in the path.
    let (first, rest) = if old.0.is_power_of_two() {
        (old.1, path)
    } else {
        path.split_first()?
    };
    let skipped = (old.0 - 1).trailing_ones();
    let (mut at, mut last) = ((old.0 - 1) >> skipped, (new - 1) >> skipped);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some((old_hash, new_hash))
}

fn check_bounds(size: u64, path: &[Hash]) -> Result<()> {
    if size > MAX_SIZE || path.len() > MAX_PATH {
        return Err(Error::new("too_large", "no log and no proof is that large"));
    }
    Ok(())
}
