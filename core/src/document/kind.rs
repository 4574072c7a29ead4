//! What a document can be.

use crate::error::{Error, Result};

/// The kinds of document. Their numbers are append-only: certificates name kinds by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// What a customer bought.
    License = 1,
    /// One device's permission to use a license.
    Activation = 2,
    /// Units of a quota, granted to one device for a time.
    Lease = 3,
    /// A key allowed to sign some kinds for some products.
    Certificate = 4,
    /// Keys added and revoked by a root.
    KeySet = 5,
    /// Which licenses are withdrawn.
    Revocations = 6,
    /// A device asks for its activation.
    Request = 7,
    /// A sealed segment of usage.
    Usage = 8,
    /// The server's acknowledgement of usage.
    Receipt = 9,
    /// A device gives up its seat.
    Deactivation = 10,
    /// A question of time, and its answer.
    Challenge = 11,
    /// The fold of acknowledged segments.
    Checkpoint = 12,
    /// The signed head of a transparency log.
    TreeHead = 13,
}

/// Kind, the name in armour, the media type, and the most bytes of one document.
const TABLE: [(Kind, &str, &str, usize); 13] = [
    (Kind::License, "license", "mintreu/license/1", 16 << 10),
    (
        Kind::Activation,
        "activation",
        "mintreu/activation/1",
        64 << 10,
    ),
    (Kind::Lease, "lease", "mintreu/lease/1", 16 << 10),
    (
        Kind::Certificate,
        "certificate",
        "mintreu/certificate/1",
        4 << 10,
    ),
    (Kind::KeySet, "keyset", "mintreu/keyset/1", 256 << 10),
    (
        Kind::Revocations,
        "revocations",
        "mintreu/revocations/1",
        1 << 20,
    ),
    (Kind::Request, "request", "mintreu/request/1", 16 << 10),
    (Kind::Usage, "usage", "mintreu/usage/1", 1 << 20),
    (Kind::Receipt, "receipt", "mintreu/receipt/1", 16 << 10),
    (
        Kind::Deactivation,
        "deactivation",
        "mintreu/deactivation/1",
        4 << 10,
    ),
    (Kind::Challenge, "challenge", "mintreu/challenge/1", 4 << 10),
    (
        Kind::Checkpoint,
        "checkpoint",
        "mintreu/checkpoint/1",
        1 << 20,
    ),
    (Kind::TreeHead, "treehead", "mintreu/treehead/1", 4 << 10),
];

impl Kind {
    /// Every kind, by number.
    pub fn all() -> impl Iterator<Item = Kind> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static (Kind, &'static str, &'static str, usize) {
        &TABLE[self as usize - 1]
    }

    /// The name in lower case: `license`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The most bytes one document of this kind may have, certificates not counted.
    pub fn max_bytes(self) -> usize {
        self.row().3
    }

    /// The number in certificates.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// `typ` and external data alike: `mintreu/license/1`.
    pub fn media_type(self) -> &'static str {
        self.row().2
    }

    /// Reads a name; `unsupported` for one this version doesn't know.
    pub fn from_name(name: &str) -> Result<Self> {
        let row = TABLE.iter().find(|row| row.1 == name);
        row.map(|row| row.0).ok_or_else(unsupported)
    }

    /// Reads a media type; `unsupported` for one this version doesn't know.
    pub fn from_media_type(media_type: &str) -> Result<Self> {
        let row = TABLE.iter().find(|row| row.2 == media_type);
        row.map(|row| row.0).ok_or_else(unsupported)
    }
}

fn unsupported() -> Error {
    Error::new(
        "unsupported",
        "this document is of a kind that this version doesn't know; update the product",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_numbers() {
        for (index, kind) in Kind::all().enumerate() {
            assert_eq!(usize::from(kind.number()), index + 1);
            assert_eq!(Kind::from_media_type(kind.media_type()), Ok(kind));
        }
        assert!(Kind::from_media_type("mintreu/license/2").is_err());
        assert!(Kind::from_media_type("JWT").is_err());
    }
}
