//! Receipts: one file that proves a license to be in the log, with the log's public key alone.

use super::head::TreeHead;
use super::leaf::{Leaf, document_hash};
use super::tree::{Hash, MAX_PATH, verify_inclusion};
use crate::document::cbor::{self, Value};
use crate::document::{Kind, PublicKey, armored, unarmored};
use crate::error::{Error, Result};

/// The only form there is, yet.
const FORM: i64 = 1;
/// What its armour says.
const NAME: &str = "LOG RECEIPT";
/// The most bytes: the largest head, the longest path and a leaf.
const MAX_BYTES: usize = 8 << 10;
/// The most characters in armour, with some white space.
const MAX_TEXT: usize = 16 << 10;

/// A leaf, its way to the root, and the head that the log signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReceipt {
    /// What the log keeps of the license.
    pub leaf: Leaf,
    /// Which leaf of the log it is, from 0.
    pub index: u64,
    /// The hashes beside the way to the root, the leaf's sibling first.
    pub path: Vec<Hash>,
    /// The signed tree head.
    pub head: Vec<u8>,
}

impl LogReceipt {
    /// The one encoding: deterministic CBOR of `[1, leaf, index, [hash, …], head]`.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let index = i64::try_from(self.index).map_err(|_| out_of_range())?;
        let leaf = self.leaf.to_bytes()?;
        let path = self.path.iter().map(|hash| Value::bytes(hash));
        cbor::encode(&Value::Array(vec![
            Value::Int(FORM),
            Value::bytes(&leaf),
            Value::Int(index),
            Value::Array(path.collect()),
            Value::bytes(&self.head),
        ]))
    }

    /// Reads what [`LogReceipt::to_bytes`] wrote; nothing of it is believed yet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::new("too_large", "no receipt is that large"));
        }
        let value = cbor::decode(bytes)?;
        let [form, leaf, index, path, head] = value.as_array()? else {
            return Err(Error::new(
                "malformed",
                "a receipt of the log has five parts",
            ));
        };
        if form.as_int()? != FORM {
            let detail = "a receipt of a form that this version doesn't know";
            return Err(Error::new("unsupported", detail));
        }
        let path = path.as_array()?;
        let head = head.as_bytes()?;
        if path.len() > MAX_PATH || head.len() > Kind::TreeHead.max_bytes() {
            return Err(Error::new("too_large", "no receipt is that large"));
        }
        let hashes: Result<Vec<Hash>> = path.iter().map(Value::as_exact).collect();
        Ok(Self {
            leaf: Leaf::from_bytes(leaf.as_bytes()?)?,
            index: index.as_count()?,
            path: hashes?,
            head: head.to_vec(),
        })
    }

    /// As a file: armour that says `MINTREU LOG RECEIPT`.
    pub fn to_text(&self) -> Result<String> {
        Ok(armored(NAME, &self.to_bytes()?))
    }

    /// Reads a file; white space in its body doesn't matter.
    pub fn from_text(text: &str) -> Result<Self> {
        if text.len() > MAX_TEXT {
            return Err(Error::new(
                "too_large",
                "this text is too long to be a receipt",
            ));
        }
        let (name, bytes) = unarmored(text.trim_start())?;
        if name != NAME {
            let detail = "this file is not a receipt of a transparency log";
            return Err(Error::new("wrong_kind", detail));
        }
        Self::from_bytes(&bytes)
    }

    /// Checks that the log with this key signed a tree that the leaf is in; answers its head.
    pub fn verify(&self, key: &PublicKey) -> Result<TreeHead> {
        let head = TreeHead::verify(&self.head, key)?;
        let hash = self.leaf.hash()?;
        verify_inclusion(&hash, self.index, head.size, &self.path, &head.root)?;
        Ok(head)
    }

    /// Checks that it is about the license in `bundle` and no other; `wrong_license` otherwise.
    pub fn check_license(&self, bundle: &[u8]) -> Result<()> {
        if document_hash(bundle)? != *self.leaf.document() {
            return Err(Error::new(
                "wrong_license",
                "the receipt is for another license, or for another issue of it",
            ));
        }
        Ok(())
    }
}

fn out_of_range() -> Error {
    Error::new("malformed", "a number is out of range")
}
