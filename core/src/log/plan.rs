//! Which stored nodes a proof is made of. Stored are complete subtrees only: they never change.

use super::tree::{Hash, MAX_SIZE, fold};
use crate::error::{Error, Result};

/// A complete subtree: the one at `position` among those with 2^`level` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// 0 for leaves.
    pub level: u8,
    /// Counted from the left, from 0.
    pub position: u64,
}

/// What a proof is made of: each of its hashes is folded from the complete subtrees of one range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan(Vec<Vec<Node>>);

impl Plan {
    /// Makes the proof; `fetch` answers a node's stored hash. At most 97 are asked for.
    pub fn path<E>(&self, mut fetch: impl FnMut(Node) -> Result<Hash, E>) -> Result<Vec<Hash>, E> {
        let mut path = Vec::with_capacity(self.0.len());
        for range in &self.0 {
            let hashes: Result<Vec<Hash>, E> = range.iter().map(|node| fetch(*node)).collect();
            path.extend(fold(&hashes?));
        }
        Ok(path)
    }
}

/// The complete subtrees of a tree with `size` leaves, the largest first.
pub fn peaks(size: u64) -> Vec<Node> {
    range(0, size)
}

/// The complete subtrees of the leaves from `start` to before `end`, where `start` is a multiple
/// of the largest power of two that fits.
fn range(start: u64, end: u64) -> Vec<Node> {
    let (mut at, mut nodes) = (start, Vec::new());
    while let Some(level) = (end - at).checked_ilog2() {
        // A logarithm of 64 bits is below 64.
        let level = level as u8;
        let position = at >> level;
        nodes.push(Node { level, position });
        at += 1 << level;
    }
    nodes
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

fn out_of_range() -> Error {
    Error::new("malformed", "the log has no such leaf or size")
}

/// The proof that the tree with `size` leaves has the one at `index`; `malformed` when it hasn't.
pub fn inclusion(index: u64, size: u64) -> Result<Plan> {
    if index >= size || size > MAX_SIZE {
        return Err(out_of_range());
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(middle, end));
            end = middle;
        } else {
            path.push(range(start, middle));
            start = middle;
        }
    }
    path.reverse();
    Ok(Plan(path))
}

/// The proof that the tree with `new` leaves begins with the one of `old`; `malformed` when it is
/// the smaller one.
pub fn consistency(old: u64, new: u64) -> Result<Plan> {
    if old > new || new > MAX_SIZE {
        return Err(out_of_range());
    }
    let (mut start, mut end, mut path) = (0, new, Vec::new());
    if old > 0 {
        while old < end {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(range(middle, end));
                end = middle;
            } else {
                path.push(range(start, middle));
                start = middle;
            }
        }
        // Whoever verifies knows the root of the old tree, when that is what is left.
        if start > 0 {
            path.push(range(start, end));
        }
    }
    path.reverse();
    Ok(Plan(path))
}
