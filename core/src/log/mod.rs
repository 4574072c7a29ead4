//! The transparency log: which licenses were issued, so that nobody can deny or slip in one later.
//!
//! Whoever issues licenses for others appends one leaf for each to a Merkle tree (RFC 9162 §2.1)
//! and signs its head now and then. A [`LogReceipt`] proves, with the log's public key alone, that
//! a license is in the tree. A consistency proof shows that a later tree has the earlier one as
//! its beginning: an auditor who keeps the last [`TreeHead`] notices every rewritten leaf.
//! `docs/transparency-log.md` is normative.
//!
//! Nothing here reads or writes anything: [`inclusion`] and [`consistency`] say which nodes a
//! proof needs, and whoever stores the tree fetches them.
//!
//! ```
//! use mintreu::Timestamp;
//! use mintreu::document::SigningKey;
//! use mintreu::id::LicenseId;
//! use mintreu::log::{Frontier, Leaf, LogReceipt, TreeHead};
//!
//! # fn main() -> mintreu::Result<()> {
//! let now = Timestamp::from_secs(1_795_008_000);
//! let leaf = Leaf::new("acme.editor", LicenseId::from_bytes([7; 16]), now, [1; 32])?;
//! let mut tree = Frontier::default();
//! tree.push(leaf.hash()?)?;
//!
//! let key = SigningKey::from_seed(&[1; 32]);
//! let head = TreeHead::new("acme", tree.size(), tree.root(), now)?;
//! let receipt = LogReceipt { leaf, index: 0, path: Vec::new(), head: head.issue(&key)? };
//! let text = receipt.to_text()?;
//! assert_eq!(LogReceipt::from_text(&text)?.verify(key.public())?, head);
//! # Ok(()) }
//! ```
//!
//! # Invariants
//!
//! * A leaf holds no name and no address, and is not to be guessed: it has an id and a hash of a
//!   signed document in it.
//! * Hashes of leaves and of nodes can't be confused: RFC 9162 prefixes them differently.
//! * The node of a complete subtree never changes, so what is stored is only ever added to.
//! * Sizes are at most [`MAX_SIZE`], paths at most [`MAX_PATH`] long, before anything is hashed.

mod head;
mod leaf;
mod plan;
mod receipt;
mod tree;

#[cfg(test)]
mod tests;

pub use head::{Part, TreeHead};
pub use leaf::{Leaf, document_hash};
pub use plan::{Node, Plan, consistency, inclusion, peaks};
pub use receipt::LogReceipt;
pub use tree::{
    Frontier, Hash, MAX_PATH, MAX_SIZE, empty_root, leaf_hash, node_hash, verify_consistency,
    verify_inclusion,
};
