//! A secret in a file that its user alone may read, and that backups leave out.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `MTDKEY1` and a line end |
//! | 8..40 | the secret |
//! | 40..56 | the first half of SHA-256 over the file's name, a zero and the bytes before |

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{KeyStore, KeyStoreError, Protection, Secret};

const MAGIC: &[u8; 8] = b"MTDKEY1\n";
const SECRET_END: usize = 40;
const FILE_BYTES: usize = 56;

/// The convention by which backup programs know what to leave out (bford.info/cachedir). Its
/// first line is fixed.
const TAG_NAME: &str = "CACHEDIR.TAG";
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # The key of this device: a backup must not hold it, or what is restored from the backup\n\
    # would pass itself off as the device. Do not delete it: that makes a new device.\n";

/// Keeps each secret in a file of its own, in a folder of its own.
#[derive(Debug, Clone)]
pub struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    /// A store in this folder, which is made when there is something to keep.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    fn write(&self, name: &str, secret: &Secret) -> io::Result<()> {
        make_private_folder(&self.folder)?;
        let path = self.path(name);
        let fresh = path.with_extension("new");
        remove(&fresh)?;
        let mut file = private_file(&fresh)?;
        file.write_all(&encode(name, secret)[..])?;
        file.sync_all()?;
        drop(file);
        fs::rename(&fresh, &path)?;
        sync_folder(&self.folder)
    }
}

impl KeyStore for FileStore {
    fn protection(&self) -> Protection {
        Protection::File
    }

    fn load(&self, name: &str) -> Result<Option<Secret>, KeyStoreError> {
        let path = self.path(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path, &error)),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES + 1));
        let limit = FILE_BYTES as u64 + 1;
        protect(&file)
            .and_then(|()| (&file).take(limit).read_to_end(&mut bytes))
            .map_err(|error| failed(&path, &error))?;
        decode(name, &bytes)
            .map(Some)
            .ok_or_else(|| KeyStoreError::Damaged(format!("{} was cut or changed", path.display())))
    }

    fn keep(&self, name: &str, secret: &Secret) -> Result<(), KeyStoreError> {
        self.write(name, secret)
            .map_err(|error| failed(&self.path(name), &error))
    }

    fn forget(&self, name: &str) -> Result<(), KeyStoreError> {
        let path = self.path(name);
        // Overwritten first, for what it is worth: a disk that moves blocks about keeps the old.
        if let Ok(mut file) = OpenOptions::new().write(true).open(&path) {
            let _unwritable = file.write_all(&[0; FILE_BYTES]).and(file.sync_all());
        }
        remove(&path)
            .and_then(|()| match self.folder.exists() {
                true => sync_folder(&self.folder),
                false => Ok(()),
            })
            .map_err(|error| failed(&path, &error))
    }
}

fn encode(name: &str, secret: &Secret) -> Zeroizing<[u8; FILE_BYTES]> {
    let mut bytes = Zeroizing::new([0; FILE_BYTES]);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..SECRET_END].copy_from_slice(&secret[..]);
    let digest = digest(name, &bytes[..SECRET_END]);
    bytes[SECRET_END..].copy_from_slice(&digest);
    bytes
}

fn decode(name: &str, bytes: &[u8]) -> Option<Secret> {
    let (head, check) = bytes.split_at_checked(SECRET_END)?;
    if !head.starts_with(MAGIC) || digest(name, head) != *check {
        return None;
    }
    let mut secret = Secret::default();
    secret.copy_from_slice(&head[8..]);
    Some(secret)
}

fn digest(name: &str, head: &[u8]) -> [u8; 16] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([0])
        .chain_update(head)
        .finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// Makes the folder for its user alone, and tells backup programs to leave it out.
fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    let tag = folder.join(TAG_NAME);
    if !tag.exists() {
        fs::write(&tag, TAG)?;
    }
    leave_out_of_backups(folder);
    Ok(())
}

/// Time Machine leaves out what carries this attribute. Where it can't be set the key is kept all
/// the same.
#[cfg(target_os = "macos")]
fn leave_out_of_backups(folder: &Path) {
    /// The string `com.apple.backupd` as a binary property list.
    const EXCLUDED: &[u8] = b"bplist00_\x10\x11com.apple.backupd\x08\
        \0\0\0\0\0\0\x01\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1c";
    let name = "com.apple.metadata:com_apple_backup_excludeItem";
    let flags = rustix::fs::XattrFlags::empty();
    let _unsupported = rustix::fs::setxattr(folder, name, EXCLUDED, flags);
}

#[cfg(not(target_os = "macos"))]
fn leave_out_of_backups(_folder: &Path) {}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    protect(&file)?;
    Ok(file)
}

/// Takes back what others were allowed, by a copy or by a wide umask.
fn protect(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// On Unix a rename is safe only when the folder is on the disk too.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(path: &Path, error: &io::Error) -> KeyStoreError {
    KeyStoreError::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "device-1";

    fn secret(byte: u8) -> Secret {
        Zeroizing::new([byte; 32])
    }

    #[test]
    fn a_secret_is_kept_replaced_and_forgotten() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = FileStore::new(dir.path().join("device"));
        assert_eq!(store.load(NAME), Ok(None));
        assert_eq!(store.forget(NAME), Ok(()), "nothing to forget is no error");
        for byte in [1, 2] {
            store.keep(NAME, &secret(byte)).expect("kept");
            assert_eq!(store.load(NAME), Ok(Some(secret(byte))));
        }
        assert_eq!(store.load("device-2"), Ok(None));
        store.forget(NAME).expect("forgotten");
        assert_eq!(store.load(NAME), Ok(None));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let good = encode(NAME, &secret(7));
        assert_eq!(decode(NAME, &good[..]), Some(secret(7)));
        for bit in 0..FILE_BYTES * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(NAME, &flipped[..]), None, "bit {bit}");
        }
        for len in 0..FILE_BYTES {
            assert_eq!(decode(NAME, &good[..len]), None, "cut to {len}");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(decode(NAME, &longer), None);
        assert_eq!(decode("device-2", &good[..]), None, "another's file");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_it_and_backups_are_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let dir = tempfile::tempdir().expect("a folder");
        let store = FileStore::new(dir.path().join("device"));
        store.keep(NAME, &secret(1)).expect("kept");
        assert_eq!(mode(&store.folder), 0o700);
        assert_eq!(mode(&store.path(NAME)), 0o600);
        let tag = fs::read_to_string(store.folder.join(TAG_NAME)).expect("a tag");
        assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
        fs::set_permissions(store.path(NAME), fs::Permissions::from_mode(0o644)).expect("set");
        store.load(NAME).expect("loaded");
        assert_eq!(mode(&store.path(NAME)), 0o600, "taken back");
    }

    #[test]
    fn what_a_killed_process_left_is_no_hindrance() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = FileStore::new(dir.path());
        fs::write(dir.path().join("device-1.new"), b"half a key").expect("written");
        assert_eq!(store.load(NAME), Ok(None));
        store.keep(NAME, &secret(3)).expect("kept");
        assert_eq!(store.load(NAME), Ok(Some(secret(3))));
        assert!(!dir.path().join("device-1.new").exists());
    }
}
