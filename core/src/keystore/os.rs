//! The operating system's keystore: macOS Keychain, Windows Credential Manager, Secret Service.

use std::sync::{Arc, Mutex, PoisonError};

use keyring_core::api::CredentialStore;
use keyring_core::{Entry, Error as Failure};
use zeroize::{Zeroize as _, Zeroizing};

use super::{KeyStore, KeyStoreError, Protection, Secret};

/// Keeps secrets in the operating system's keystore, as the user who runs the program.
///
/// macOS has the login keychain, Windows the Credential Manager, Linux and the BSDs a Secret
/// Service on the session's D-Bus (GNOME Keyring, KWallet, KeePassXC). The Linux kernel's own
/// keyring is no such place: it forgets when the machine is switched off.
pub struct OsStore {
    service: String,
    store: Mutex<Option<Arc<CredentialStore>>>,
}

impl OsStore {
    /// A store whose entries people see under this name, such as the product's.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            store: Mutex::default(),
        }
    }

    /// The entry for a name. The system is asked on first use, and again while it doesn't answer.
    fn entry(&self, name: &str) -> Result<Entry, KeyStoreError> {
        let mut known = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match &*known {
            Some(store) => Arc::clone(store),
            None => {
                let reached = reach().map_err(|error| out_of_reach(&error))?;
                Arc::clone(known.insert(reached))
            }
        };
        store.build(&self.service, name, None).map_err(sort)
    }
}

impl std::fmt::Debug for OsStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OsStore").field(&self.service).finish()
    }
}

impl KeyStore for OsStore {
    fn protection(&self) -> Protection {
        Protection::OsKeystore
    }

    fn load(&self, name: &str) -> Result<Option<Secret>, KeyStoreError> {
        match self.entry(name)?.get_secret() {
            Ok(bytes) => whole(Zeroizing::new(bytes)).map(Some),
            Err(Failure::NoEntry) => Ok(None),
            Err(error) => Err(sort(error)),
        }
    }

    fn keep(&self, name: &str, secret: &Secret) -> Result<(), KeyStoreError> {
        self.entry(name)?.set_secret(&secret[..]).map_err(sort)
    }

    fn forget(&self, name: &str) -> Result<(), KeyStoreError> {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(Failure::NoEntry) => Ok(()),
            Err(error) => Err(sort(error)),
        }
    }
}

#[cfg(target_os = "macos")]
fn reach() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn reach() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(all(unix, not(any(target_vendor = "apple", target_os = "android"))))]
fn reach() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(dbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(not(any(
    target_os = "macos",
    windows,
    all(unix, not(any(target_vendor = "apple", target_os = "android")))
)))]
fn reach() -> keyring_core::Result<Arc<CredentialStore>> {
    Err(Failure::NoDefaultStore)
}

fn out_of_reach(error: &Failure) -> KeyStoreError {
    KeyStoreError::Unavailable(error.to_string())
}

fn whole(bytes: Zeroizing<Vec<u8>>) -> Result<Secret, KeyStoreError> {
    let mut secret = Secret::default();
    if bytes.len() != secret.len() {
        let why = "the keystore's entry has a wrong length";
        return Err(KeyStoreError::Damaged(why.to_owned()));
    }
    secret.copy_from_slice(&bytes);
    Ok(secret)
}

/// Sorts what the keystore says by what the caller can do about it. What it hands out with an
/// error is wiped.
fn sort(error: Failure) -> KeyStoreError {
    match error {
        Failure::NoStorageAccess(why) => KeyStoreError::Locked(why.to_string()),
        Failure::BadEncoding(mut bytes) | Failure::BadDataFormat(mut bytes, _) => {
            bytes.zeroize();
            KeyStoreError::Damaged("the keystore's entry is not a secret of ours".to_owned())
        }
        Failure::NoDefaultStore | Failure::NotSupportedByStore(_) => out_of_reach(&error),
        other => KeyStoreError::Failed(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store on keyring's own mock, which can be told to fail.
    fn on_mock() -> OsStore {
        let mock = keyring_core::mock::Store::new().expect("a mock");
        let store = OsStore::new("mintreu-test");
        *store.store.lock().expect("unpoisoned") = Some(mock);
        store
    }

    fn fail_next(store: &OsStore, error: Failure) {
        let entry = store.entry("n").expect("an entry");
        let mock = entry.as_any().downcast_ref::<keyring_core::mock::Cred>();
        mock.expect("a mock").set_error(error);
    }

    #[test]
    fn a_secret_is_kept_replaced_and_forgotten() {
        let store = on_mock();
        assert_eq!(store.load("n"), Ok(None));
        for byte in [1, 2] {
            let secret = Zeroizing::new([byte; 32]);
            store.keep("n", &secret).expect("kept");
            assert_eq!(store.load("n"), Ok(Some(secret)));
        }
        assert_eq!(store.load("other"), Ok(None));
        store.forget("n").expect("forgotten");
        assert_eq!(store.load("n"), Ok(None));
        assert_eq!(store.forget("n"), Ok(()));
    }

    #[test]
    fn what_goes_wrong_is_sorted_by_what_to_do() {
        let locked = || Failure::NoStorageAccess("dismissed".into());
        let table = [
            (locked(), "keystore_locked"),
            (Failure::PlatformFailure("broken".into()), "keystore_failed"),
            (Failure::BadEncoding(vec![1]), "device_key_damaged"),
            (
                Failure::NotSupportedByStore("no".into()),
                "keystore_unavailable",
            ),
        ];
        for (error, code) in table {
            let store = on_mock();
            fail_next(&store, error);
            assert_eq!(store.load("n").map_err(|error| error.code()), Err(code));
        }
        let store = on_mock();
        fail_next(&store, locked());
        let refused = store.forget("n").expect_err("it is locked");
        assert_eq!(refused.code(), "keystore_locked");
    }

    #[test]
    fn an_entry_of_another_length_is_no_secret() {
        let store = on_mock();
        let entry = store.entry("n").expect("an entry");
        entry.set_secret(&[1; 31]).expect("set");
        let refused = store.load("n").expect_err("too short");
        assert_eq!(refused.code(), "device_key_damaged");
    }
}
