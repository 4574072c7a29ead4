//! Where a device's key lies: the operating system's keystore, a protected file, or a place of the
//! caller's own.
//!
//! The journal remembers which key is this device's, and never the key itself: that is kept by a
//! [`KeyStore`], under a name made from the public key. By default it is a [`FileStore`] in the
//! engine's folder; [`DeviceKey`] says otherwise. `docs/devices.md` tells the whole story.
//!
//! # Invariants
//!
//! * A key is kept, and read back, before anything is signed with it.
//! * A store that is locked or out of reach is an error, never a reason to make a new device.
//! * A key that is gone, unreadable, or bound to another host makes a new device, and
//!   [`Engine::recovered`](crate::Engine::recovered) names it: no device is ever continued twice.
//! * Secrets are wiped from memory when dropped, and never printed.

mod error;
mod file;
#[cfg(feature = "os-keystore")]
mod os;

use std::sync::Arc;

use zeroize::Zeroizing;

pub use error::KeyStoreError;
pub use file::FileStore;
#[cfg(feature = "os-keystore")]
pub use os::OsStore;

/// A device's secret: the 32 bytes of an Ed25519 seed, wiped when dropped.
pub type Secret = Zeroizing<[u8; 32]>;

/// A place that keeps secrets under names.
///
/// A name has at most 64 characters out of `a-z`, `0-9` and `-`. One process at a time uses the
/// names of one folder.
pub trait KeyStore: Send + Sync {
    /// What kind of place this is; the journal remembers it, so it must stay the same.
    fn protection(&self) -> Protection;

    /// The secret under this name; `None` only where the store is sure that it has none.
    fn load(&self, name: &str) -> Result<Option<Secret>, KeyStoreError>;

    /// Keeps a secret under a name, in place of the one before; it is safe when this returns.
    fn keep(&self, name: &str, secret: &Secret) -> Result<(), KeyStoreError>;

    /// Forgets the secret under this name, if there is one.
    fn forget(&self, name: &str) -> Result<(), KeyStoreError>;
}

/// How a device's key is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protection {
    /// A file that its user alone may read.
    File,
    /// The operating system's keystore.
    OsKeystore,
    /// A [`KeyStore`] of the caller's own.
    Caller,
}

impl Protection {
    /// The stable code: `file`, `os_keystore` or `caller`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::OsKeystore => "os_keystore",
            Self::Caller => "caller",
        }
    }
}

/// What a device's key is bound to, so that a copied folder becomes a device of its own.
///
/// Only a keyed hash of the id is kept. A host whose id can't be told is never taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HostBinding {
    /// The id of the operating system's installation, where there is one that means something:
    /// not in containers, and only with the feature `host`.
    #[default]
    Machine,
    /// An id that the caller knows: a cloud instance, a StatefulSet's pod.
    Id(String),
    /// Nothing: the folder may move from host to host, one at a time.
    None,
}

impl HostBinding {
    pub(crate) fn id(&self) -> Option<Zeroizing<String>> {
        match self {
            #[cfg(feature = "host")]
            Self::Machine => crate::host::machine_id(),
            #[cfg(not(feature = "host"))]
            Self::Machine => None,
            Self::Id(id) => (!id.is_empty()).then(|| Zeroizing::new(id.clone())),
            Self::None => None,
        }
    }
}

/// Where the device's key is kept and what it is bound to.
#[derive(Clone, Default)]
pub struct DeviceKey {
    /// The store that is wanted; a file in the engine's folder where this is `None`, or where the
    /// wanted one is not there when the key is made. A key that lies in the file moves to the
    /// wanted store as soon as that is there.
    pub store: Option<Arc<dyn KeyStore>>,
    /// What the key is bound to.
    pub host: HostBinding,
}
