//! Why a store gave no answer.

use std::fmt;

use crate::error::Error;

/// Why a [`KeyStore`](super::KeyStore) could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// There is no such store here, or nobody answers: a server without a desktop, a container.
    Unavailable(String),
    /// The store is there, and somebody must unlock it or allow its use.
    Locked(String),
    /// What is kept under the name is not a secret of ours, or was changed.
    Damaged(String),
    /// The store failed in another way.
    Failed(String),
}

impl KeyStoreError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "keystore_unavailable",
            Self::Locked(_) => "keystore_locked",
            Self::Damaged(_) => "device_key_damaged",
            Self::Failed(_) => "keystore_failed",
        }
    }
}

impl fmt::Display for KeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(
                f,
                "the keystore is out of reach: {why}; start the program in the session whose \
                 keystore holds this device's key"
            ),
            Self::Locked(why) => write!(
                f,
                "the keystore is locked: {why}; unlock it or allow its use, and start again"
            ),
            Self::Damaged(why) => write!(f, "the device's key can't be believed: {why}"),
            Self::Failed(why) => write!(f, "the device's key can't be read or kept: {why}"),
        }
    }
}

impl std::error::Error for KeyStoreError {}

impl From<KeyStoreError> for Error {
    fn from(error: KeyStoreError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
