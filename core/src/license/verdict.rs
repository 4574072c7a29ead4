//! The answer to "does this license hold here and now?".

use std::borrow::Cow;

use crate::error::Error;
use crate::time::Timestamp;

/// What a license comes to. The order is the precedence: the first that applies is the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Larger than its kind may be; nothing of it was read.
    TooLarge,
    /// Not a document in the one form there is.
    Malformed,
    /// Made for a newer version of the product.
    Unsupported,
    /// A document, but of another kind.
    WrongKind,
    /// A key in it is not safe to use.
    WeakKey,
    /// Signed by a key nobody vouches for.
    UnknownKey,
    /// The signature doesn't fit.
    BadSignature,
    /// For another product.
    WrongProduct,
    /// Signed by a key that may not sign this.
    CertificateOutOfScope,
    /// A key that vouches for it has been revoked.
    KeyRevoked,
    /// It has been withdrawn.
    Revoked,
    /// The clock has been wrong for too long.
    ClockRefused,
    /// It begins later.
    NotYetValid,
    /// It is over; under [`OnExpiry::Allow`](super::OnExpiry::Allow) it goes on with a warning.
    Expired,
    /// This version of the product isn't covered.
    WrongVersion,
    /// For another device.
    WrongDevice,
    /// This device has no activation.
    DeviceNotActivated,
    /// The activation's lease has ended.
    LeaseOver,
    /// The revocation list is too old. Where the license only warns, or for its grace, this is
    /// allowed and comes after [`Status::ReplaceBy`].
    RevocationsStale,
    /// Over, but still working for a while.
    InGrace,
    /// A key that vouches for it will be revoked.
    ReplaceBy,
    /// The clock looks wrong; tolerated for now.
    ClockSuspect,
    /// It ends soon.
    ExpiringSoon,
    /// It holds.
    Valid,
}

/// Every status with its stable code.
const CODES: [(Status, &str); 24] = [
    (Status::TooLarge, "too_large"),
    (Status::Malformed, "malformed"),
    (Status::Unsupported, "unsupported"),
    (Status::WrongKind, "wrong_kind"),
    (Status::WeakKey, "weak_key"),
    (Status::UnknownKey, "unknown_key"),
    (Status::BadSignature, "bad_signature"),
    (Status::WrongProduct, "wrong_product"),
    (Status::CertificateOutOfScope, "certificate_out_of_scope"),
    (Status::KeyRevoked, "key_revoked"),
    (Status::Revoked, "revoked"),
    (Status::ClockRefused, "clock_refused"),
    (Status::NotYetValid, "not_yet_valid"),
    (Status::Expired, "expired"),
    (Status::WrongVersion, "wrong_version"),
    (Status::WrongDevice, "wrong_device"),
    (Status::DeviceNotActivated, "device_not_activated"),
    (Status::LeaseOver, "lease_over"),
    (Status::RevocationsStale, "revocations_stale"),
    (Status::InGrace, "in_grace"),
    (Status::ReplaceBy, "replace_by"),
    (Status::ClockSuspect, "clock_suspect"),
    (Status::ExpiringSoon, "expiring_soon"),
    (Status::Valid, "valid"),
];

impl Status {
    /// Every status, the strongest first.
    pub fn all() -> impl Iterator<Item = Status> {
        CODES.iter().map(|row| row.0)
    }

    /// The stable code, the same in every language.
    pub fn code(self) -> &'static str {
        CODES[self as usize].1
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        CODES.iter().find(|row| row.1 == code).map(|row| row.0)
    }
}

/// A status, whether the product may run, and one sentence to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    status: Status,
    allowed: bool,
    sentence: Cow<'static, str>,
    until: Option<Timestamp>,
}

impl Verdict {
    pub(super) fn allowed(status: Status, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            allowed: true,
            sentence: sentence.into(),
            until: None,
        }
    }

    pub(super) fn refused(status: Status, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            allowed: false,
            sentence: sentence.into(),
            until: None,
        }
    }

    pub(super) fn until(mut self, until: Option<Timestamp>) -> Self {
        self.until = until;
        self
    }

    /// What it comes to.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The status's stable code.
    pub fn code(&self) -> &'static str {
        self.status.code()
    }

    /// Whether the product may run.
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// One sentence in English that a product can show.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The first instant at which this verdict may change; `None` when time changes nothing.
    pub const fn changes_at(&self) -> Option<Timestamp> {
        self.until
    }
}

impl From<&Error> for Verdict {
    /// A document that didn't open is a refusal with the error's own code and sentence.
    fn from(error: &Error) -> Self {
        let status = Status::from_code(error.code()).unwrap_or(Status::Malformed);
        Self::refused(status, error.detail().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_statuses() {
        for (index, (status, code)) in CODES.iter().enumerate() {
            assert_eq!(*status as usize, index);
            assert_eq!(Status::from_code(code), Some(*status));
        }
    }
}
