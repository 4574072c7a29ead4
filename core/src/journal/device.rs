//! Which key is this device's: kept outside the journal, moved there from older journals, and
//! made anew where going on with it would continue a device twice.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Damage;
use super::store::Store;
use crate::document::SigningKey;
use crate::error::{Error, Result};
use crate::keystore::{DeviceKey, FileStore, KeyStore, KeyStoreError, Protection, Secret};

/// Under which name the journal remembers the key: see [`Record`].
const RECORD: &str = "device key";
/// Under which name journals of before held the seed itself.
const SEED_OF_BEFORE: &str = "device";
/// Under which name it is remembered that something deleted must be wiped.
const WIPE: &str = "wipe";
/// The folder of the file store, inside the engine's.
const FOLDER: &str = "device";

const RECORD_VERSION: u8 = 1;
const RECORD_BYTES: usize = 50;

/// The device that an open journal speaks for.
pub(super) struct Device {
    pub key: SigningKey,
    pub protection: Protection,
    /// Why this is not the device that the folder belonged to, if it isn't.
    pub renewed: Option<Renewal>,
}

/// A new device takes over a folder.
pub(super) struct Renewal {
    pub why: Damage,
    record: Record,
    former: Record,
}

/// What the journal remembers of the key. Its name in the store follows from the public half.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    protection: Protection,
    public: [u8; 32],
    /// A keyed hash of the host's id; zeros where none was known.
    host: [u8; 16],
}

/// The places a key may be in.
struct Places<'a> {
    file: FileStore,
    options: &'a DeviceKey,
}

/// Finds this device's key, or makes one.
///
/// Only who has the folder `alone` makes a new device of it.
pub(super) fn open(
    store: &mut Store,
    folder: &Path,
    options: &DeviceKey,
    alone: bool,
) -> Result<Device> {
    let places = Places {
        file: FileStore::new(folder.join(FOLDER)),
        options,
    };
    let host = options.host.id();
    let host = host.as_ref().map(|id| id.as_str());
    let device = match Record::read(store)? {
        Some(record) => known(store, &places, record, (host, alone)),
        None => first(store, &places, host),
    };
    if alone && device.is_ok() && store.state(WIPE)?.is_some() && store.wipe_deleted().is_ok() {
        store.write(|tx| tx.clear(WIPE))?;
    }
    device
}

/// The key that the journal remembers, if it may go on with it.
fn known(
    store: &mut Store,
    places: &Places<'_>,
    record: Record,
    (host, alone): (Option<&str>, bool),
) -> Result<Device> {
    let why = match places.load(&record) {
        Ok(Some(key)) if !record.is_bound_elsewhere(&key, host) => {
            return stay(store, places, record, key, host);
        }
        Ok(Some(_)) => Damage::HostChanged,
        Ok(None) => Damage::DeviceKeyMissing,
        Err(KeyStoreError::Damaged(_)) => Damage::DeviceKeyUnreadable,
        Err(error) => return Err(error.into()),
    };
    if !alone {
        return Err(super::busy());
    }
    let key = SigningKey::generate()?;
    let protection = places.keep(&key)?;
    let renewed = Renewal {
        why,
        record: Record::of(&key, protection, host),
        former: record,
    };
    Ok(Device {
        key,
        protection,
        renewed: Some(renewed),
    })
}

/// Goes on with the key: moved to the store that is wanted, bound to a host not known before.
fn stay(
    store: &mut Store,
    places: &Places<'_>,
    record: Record,
    key: SigningKey,
    host: Option<&str>,
) -> Result<Device> {
    let protection = places.moved(&record, &key);
    let mut next = Record {
        protection,
        ..record.clone()
    };
    if record.host == [0; 16] {
        next.host = host_hash(&key, host);
    }
    if next != record {
        store.write(|tx| tx.state(RECORD, &next.to_bytes()))?;
    }
    if protection != record.protection {
        // The journal says where the key is now: a copy that can't be removed is only untidy.
        let _left = places.file.forget(&record.name());
    }
    Ok(Device {
        key,
        protection,
        renewed: None,
    })
}

/// The first key of a new journal, or the one that an older journal holds inside.
fn first(store: &mut Store, places: &Places<'_>, host: Option<&str>) -> Result<Device> {
    let seed = store.state(SEED_OF_BEFORE)?.map(zeroize::Zeroizing::new);
    let key = match &seed {
        Some(seed) => {
            let seed: &[u8; 32] = seed
                .as_slice()
                .try_into()
                .map_err(|_| super::damaged("the device key has a wrong length"))?;
            SigningKey::from_seed(seed)
        }
        None => SigningKey::generate()?,
    };
    let protection = places.keep(&key)?;
    let record = Record::of(&key, protection, host);
    store
        .write(|tx| {
            tx.state(RECORD, &record.to_bytes())?;
            if seed.is_some() {
                tx.clear(SEED_OF_BEFORE)?;
                tx.state(WIPE, &[1])?;
            }
            Ok(())
        })
        .inspect_err(|_| places.forget(&record))?;
    Ok(Device {
        key,
        protection,
        renewed: None,
    })
}

impl Renewal {
    /// What the journal is to remember from now on.
    pub fn record(&self) -> (&'static str, Vec<u8>) {
        (RECORD, self.record.to_bytes())
    }

    /// Forgets the folder's own copy of the key that is no longer its, once the journal says so.
    /// In a keystore the key may still be in use, by the folder that this one was copied from.
    pub fn forget_former(&self, folder: &Path) {
        if self.former.protection == Protection::File {
            let _left = FileStore::new(folder.join(FOLDER)).forget(&self.former.name());
        }
    }
}

impl Places<'_> {
    /// The store that has what the journal says it has.
    fn holder(&self, protection: Protection) -> Result<&dyn KeyStore, KeyStoreError> {
        if protection == Protection::File {
            return Ok(&self.file);
        }
        let wanted = self.options.store.as_deref();
        wanted
            .filter(|store| store.protection() == protection)
            .ok_or_else(|| {
                KeyStoreError::Unavailable(format!(
                    "the key is in a store of the kind {:?}, and the engine was opened without it",
                    protection.code()
                ))
            })
    }

    fn load(&self, record: &Record) -> Result<Option<SigningKey>, KeyStoreError> {
        let secret = self.holder(record.protection)?.load(&record.name())?;
        let Some(secret) = secret else {
            return Ok(None);
        };
        let key = SigningKey::from_seed(&secret);
        match *key.public().as_bytes() == record.public {
            true => Ok(Some(key)),
            false => Err(KeyStoreError::Damaged("it is another key".to_owned())),
        }
    }

    /// Keeps a key in the wanted store, or in the file where that is not there.
    fn keep(&self, key: &SigningKey) -> Result<Protection> {
        if let Some(wanted) = self.options.store.as_deref() {
            match keep_and_read_back(wanted, key) {
                Err(KeyStoreError::Unavailable(_)) => {}
                other => return Ok(other?),
            }
        }
        Ok(keep_and_read_back(&self.file, key)?)
    }

    /// Moves a key from the file to the wanted store where that works; it stays where it doesn't.
    fn moved(&self, record: &Record, key: &SigningKey) -> Protection {
        match self.options.store.as_deref() {
            Some(wanted) if record.protection == Protection::File => {
                keep_and_read_back(wanted, key).unwrap_or(Protection::File)
            }
            _ => record.protection,
        }
    }

    /// A key that can't be forgotten speaks for nobody: no journal names it.
    fn forget(&self, record: &Record) {
        if let Ok(store) = self.holder(record.protection) {
            let _left = store.forget(&record.name());
        }
    }
}

fn keep_and_read_back(store: &dyn KeyStore, key: &SigningKey) -> Result<Protection, KeyStoreError> {
    let (name, secret): (_, Secret) = (name(key.public().as_bytes()), key.seed());
    store.keep(&name, &secret)?;
    match store.load(&name)? {
        Some(kept) if kept == secret => Ok(store.protection()),
        _ => Err(KeyStoreError::Unavailable(
            "the store does not give back what it was given".to_owned(),
        )),
    }
}

/// The name of a key in every store.
fn name(public: &[u8; 32]) -> String {
    let digest = Sha256::digest(public);
    let hex: String = digest[..12].iter().map(|b| format!("{b:02x}")).collect();
    format!("device-{hex}")
}

/// A hash of the host's id under the key's own seed, so that it can't be looked up.
fn host_hash(key: &SigningKey, host: Option<&str>) -> [u8; 16] {
    let mut hash = [0; 16];
    let Some(host) = host else {
        return hash;
    };
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&key.seed()[..]).expect("HMAC takes a key of any length");
    mac.update(b"mintreu/device-host/1\0");
    mac.update(host.as_bytes());
    hash.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    hash
}

impl Record {
    fn of(key: &SigningKey, protection: Protection, host: Option<&str>) -> Self {
        Self {
            protection,
            public: *key.public().as_bytes(),
            host: host_hash(key, host),
        }
    }

    fn name(&self) -> String {
        name(&self.public)
    }

    /// A host that was or is unknown is never taken for another.
    fn is_bound_elsewhere(&self, key: &SigningKey, host: Option<&str>) -> bool {
        let bound = self.host != [0; 16] && host.is_some();
        bound && !bool::from(self.host.ct_eq(&host_hash(key, host)))
    }

    fn read(store: &Store) -> Result<Option<Self>> {
        let Some(bytes) = store.state(RECORD)? else {
            return Ok(None);
        };
        let strange = || super::damaged("the record of the device's key is damaged");
        let bytes: [u8; RECORD_BYTES] = bytes.try_into().map_err(|_| strange())?;
        if bytes[0] > RECORD_VERSION {
            let why = "a newer version of the product keeps the device's key in its own way";
            return Err(Error::new("journal_newer", why));
        }
        let mut record = Self {
            protection: protection_of(bytes[1]).ok_or_else(strange)?,
            public: [0; 32],
            host: [0; 16],
        };
        record.public.copy_from_slice(&bytes[2..34]);
        record.host.copy_from_slice(&bytes[34..50]);
        Ok(Some(record))
    }

    /// Version, kind of store, public key, host.
    fn to_bytes(&self) -> Vec<u8> {
        let kind = protection_code(self.protection);
        [&[RECORD_VERSION, kind][..], &self.public, &self.host].concat()
    }
}

const fn protection_code(protection: Protection) -> u8 {
    match protection {
        Protection::File => 1,
        Protection::OsKeystore => 2,
        Protection::Caller => 3,
    }
}

const fn protection_of(code: u8) -> Option<Protection> {
    match code {
        1 => Some(Protection::File),
        2 => Some(Protection::OsKeystore),
        3 => Some(Protection::Caller),
        _ => None,
    }
}
