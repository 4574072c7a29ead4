//! The device's own folder: counters that survive `kill -9`, and a journal that survives a power
//! cut.
//!
//! A folder belongs to one engine at a time. It holds `counters` (memory-mapped, see
//! `counters.rs`), `journal.db` (SQLite in WAL mode with `synchronous=FULL`, see `store.rs`),
//! `journal.lock` and `counters.lock`, and `device/` with the device's key unless that is kept
//! elsewhere (see `device.rs`). Reading starts at `Journal::open`.
//!
//! # Invariants
//!
//! * A cell's value only rises. What is unsealed is the cell's value less the journal's `sealed`.
//! * A segment, the cells it seals and the stream it belongs to change in one transaction, which
//!   is on the disk before the segment leaves the journal.
//! * The mark in the counter file is written after that transaction. A journal that lies behind
//!   the mark has lost something: it is never continued, a new epoch begins.
//! * A receipt is believed over a segment, a segment over a cell.
//! * After `fork`, counting goes on in both processes; only the one that opened may seal and sync.
//!
//! # Tables
//!
//! `state` (which key is the device's, pending request, numbers), `document` (licenses and the activation),
//! `stream`, `cell`, `segment`, `receipt`.

mod counters;
mod device;
mod export;
mod recovery;
mod sealing;
mod store;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use counters::add;
use counters::{CellKind, Counters, Slot};
pub use export::Sink;
pub(crate) use export::export_folder;
pub use sealing::CellUsage;
pub(crate) use sealing::SealTime;
use store::{Cells, Store, StreamRow, Write};

use crate::clock::Watch;
use crate::document::SigningKey;
use crate::error::{Error, Result};
use crate::id::{LicenseId, StreamId};
use crate::keystore::{DeviceKey, Protection};
use crate::meter::{CellKey, Counts, MAX_KEY_BYTES, Quota, stream_id};

/// How many cells a folder has room for unless the caller says otherwise; also the most.
pub const DEFAULT_CELLS: usize = 4096;

/// Something that was found wrong when a folder was opened, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The counter file was gone: counts restart from what was sealed; what was not is lost.
    CountersMissing,
    /// The counter file was unreadable: it was set aside, counts restart from what was sealed.
    CountersUnreadable,
    /// One cell's key was unreadable: its count restarts from what was sealed.
    CellUnreadable {
        /// The cell's place in the counter file.
        slot: usize,
    },
    /// A cell was behind what the journal had sealed and was raised to it.
    CellBehind {
        /// The meter.
        meter: String,
        /// Units by which it was raised.
        units: u64,
    },
    /// The journal was behind the counters (restored, or its tail was lost): a new epoch began,
    /// and the server works out what is still owed.
    JournalBehind {
        /// The epoch that began.
        new_epoch: u64,
    },
    /// The journal was gone while counters remained: this device must be activated again, and
    /// what it had not reported stays unreported.
    JournalMissing,
    /// The device's key was gone, as in a folder restored from a backup: this is a new device,
    /// which asks for an activation of its own. What the former one had not reported stays
    /// unreported by this one.
    DeviceKeyMissing,
    /// The device's key was cut or changed: this is a new device, as above.
    DeviceKeyUnreadable,
    /// The folder came here from another host: this is a new device, as above, and the one it was
    /// copied from goes on undisturbed.
    HostChanged,
}

impl Damage {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CountersMissing => "counters_missing",
            Self::CountersUnreadable => "counters_unreadable",
            Self::CellUnreadable { .. } => "cell_unreadable",
            Self::CellBehind { .. } => "cell_behind",
            Self::JournalBehind { .. } => "journal_behind",
            Self::JournalMissing => "journal_missing",
            Self::DeviceKeyMissing => "device_key_missing",
            Self::DeviceKeyUnreadable => "device_key_unreadable",
            Self::HostChanged => "host_changed",
        }
    }
}

/// A cell that can be counted into: cheap to clone, usable from any thread.
#[derive(Clone)]
pub(crate) struct CellHandle {
    counters: Arc<Counters>,
    slot: Slot,
}

impl CellHandle {
    #[inline]
    pub fn word(&self) -> &AtomicU64 {
        self.counters.value(self.slot)
    }
}

/// An open folder.
pub(crate) struct Journal {
    counters: Arc<Counters>,
    /// Where known cells are: a shortcut past the search in the counter file.
    slots: Mutex<HashMap<(CellKind, Vec<u8>), Slot>>,
    inner: Mutex<Inner>,
    pid: u32,
    protection: Protection,
    _lock: File,
}

/// What the journal keeps in memory of its file, changed only after the file was.
struct Inner {
    store: Store,
    device: SigningKey,
    /// The stream that is being continued; before the first activation only its cells.
    stream: Option<StreamRow>,
    cells: Cells,
}

/// Under which name cells are kept before there is a stream.
const NO_STREAM: StreamId = StreamId::from_bytes([0; 16]);

/// Under which name it is remembered that a new device took over the folder, until what the
/// former one held was put away.
const HANDED_OVER: &str = "handed over";

impl Journal {
    /// Opens a folder of its own, making it when there is none, and puts right what it can.
    ///
    /// `journal_busy` when another process has it; `journal_damaged` when its file cannot be
    /// believed; `journal_io` when the folder cannot be read or written; `keystore_locked`,
    /// `keystore_unavailable` and `keystore_failed` when the device's key cannot be reached.
    pub fn open(folder: &Path, cells: usize, keys: &DeviceKey) -> Result<(Self, Vec<Damage>)> {
        let capacity = cells.clamp(1, DEFAULT_CELLS);
        make_folder(folder)?;
        let lock = take_lock(folder)?;
        let mut damage = Vec::new();
        let mut store = Store::open(&folder.join("journal.db"))?;
        let (counters, fresh) = open_counters(folder, capacity, &mut damage)?;
        let device = device::open(&mut store, folder, keys)?;
        let stream = recovery::current_stream(&store)?;
        let cells = store.cells(stream.as_ref().map_or(NO_STREAM, |row| row.stream))?;
        if fresh && stream.is_some() {
            damage.push(Damage::CountersMissing);
        }
        let mut inner = Inner {
            store,
            device: device.key,
            stream,
            cells,
        };
        if let Some(renewal) = &device.renewed {
            recovery::hand_over(&mut inner, &counters, renewal)?;
            renewal.forget_former(folder);
            damage.push(renewal.why.clone());
        }
        recovery::reconcile(&mut inner, &counters, &mut damage)?;
        let journal = Self {
            counters: Arc::new(counters),
            slots: Mutex::default(),
            inner: Mutex::new(inner),
            pid: std::process::id(),
            protection: device.protection,
            _lock: lock,
        };
        Ok((journal, damage))
    }

    /// The key that signs for this device.
    pub fn device(&self) -> Result<SigningKey> {
        Ok(self.lock()?.device.clone())
    }

    /// Where that key lies.
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// Whether a new device took over the folder and what the former one held is still here.
    pub fn handed_over(&self) -> Result<bool> {
        Ok(self.state(HANDED_OVER)?.is_some())
    }

    /// Notes that what the former device held was put away.
    pub fn put_away(&self) -> Result<()> {
        self.set_states(&[(HANDED_OVER, None)])
    }

    /// The count cell with this key, made when there is none; works after `fork` too.
    pub fn count(&self, key: &CellKey) -> Result<CellHandle> {
        self.cell(CellKind::Count, key.to_bytes())
    }

    /// The allowance word of a meter's quota in its kind of window.
    pub fn allowance(&self, meter: &str, quota: Quota) -> Result<CellHandle> {
        debug_assert!(meter.len() < MAX_KEY_BYTES);
        let mut key = vec![quota.window().code()];
        key.extend_from_slice(meter.as_bytes());
        self.cell(CellKind::Allowance, key)
    }

    fn cell(&self, kind: CellKind, key: Vec<u8>) -> Result<CellHandle> {
        let slot = if std::process::id() == self.pid {
            self.remembered_slot(kind, key)?
        } else {
            // The lock of the shortcut may have been held by a thread that this process has not.
            self.counters.find_or_insert(kind, &key)?
        };
        Ok(CellHandle {
            counters: Arc::clone(&self.counters),
            slot,
        })
    }

    fn remembered_slot(&self, kind: CellKind, key: Vec<u8>) -> Result<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (kind, key);
        if let Some(&slot) = slots.get(&place) {
            return Ok(slot);
        }
        let slot = self.counters.find_or_insert(kind, &place.1)?;
        slots.insert(place, slot);
        Ok(slot)
    }

    /// Writes every counter to the disk and waits for it.
    pub fn flush(&self) -> Result<()> {
        self.counters.flush()
    }

    /// A small named value.
    pub fn state(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.lock()?.store.state(name)
    }

    /// Remembers or (with `None`) forgets small named values, on the disk when this returns.
    pub fn set_states(&self, values: &[(&str, Option<&[u8]>)]) -> Result<()> {
        self.lock()?.store.write(|tx| write_states(tx, values))
    }

    /// A named number; 0 when it was never set.
    pub fn number(&self, name: &str) -> Result<i64> {
        self.lock()?.store.number(name)
    }

    /// Remembers a named number.
    pub fn set_number(&self, name: &str, value: i64) -> Result<()> {
        self.set_states(&[(name, Some(&value.to_be_bytes()))])
    }

    /// The clock as it was when it was looked at last.
    pub fn clock(&self) -> Result<Watch> {
        let kept = kept_clock(&self.lock()?.store)?;
        Ok(self
            .counters
            .clock()
            .map_or(kept, |watch| watch.merged(kept)))
    }

    /// Remembers the clock where a killed process doesn't lose it; no system call.
    pub fn note_clock(&self, watch: &Watch) {
        // Two processes would write over each other: the one that opened does it.
        if std::process::id() == self.pid {
            self.counters.set_clock(watch);
        }
    }

    /// Remembers the clock on the disk.
    pub fn keep_clock(&self, watch: &Watch) -> Result<()> {
        self.note_clock(watch);
        let words = watch.to_words();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        self.set_states(&[(CLOCK, Some(&bytes))])
    }

    /// Every installed document with its name.
    pub fn documents(&self) -> Result<Vec<(String, Vec<u8>)>> {
        self.lock()?.store.documents()
    }

    /// Keeps a document under a name, in place of the one before.
    pub fn keep_document(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.lock()?.store.write(|tx| tx.document(name, bytes))
    }

    /// Forgets documents, keeps others and changes small named values, all in one transaction.
    pub fn replace_documents(
        &self,
        forget: &[&str],
        keep: &[(&str, &[u8])],
        states: &[(&str, Option<&[u8]>)],
    ) -> Result<()> {
        self.lock()?.store.write(|tx| {
            forget
                .iter()
                .try_for_each(|name| tx.forget_document(name))?;
            keep.iter()
                .try_for_each(|(name, bytes)| tx.document(name, bytes))?;
            write_states(tx, states)
        })
    }

    /// Writes out every kept segment and receipt of this device, oldest first.
    pub fn export(
        &self,
        activation: &dyn Fn(LicenseId) -> String,
        out: &mut Sink<'_>,
    ) -> Result<Counts> {
        let inner = self.lock()?;
        let own = |stream, license| stream == stream_id(inner.device.public(), license);
        inner.store.export(activation, &own, out)
    }

    fn lock(&self) -> Result<MutexGuard<'_, Inner>> {
        if std::process::id() != self.pid {
            return Err(Error::new(
                "forked",
                "this process was forked from the one that opened the engine: it may count, but \
                 only the parent may seal and sync; or open the engine after forking",
            ));
        }
        Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn write_states(tx: &Write<'_>, values: &[(&str, Option<&[u8]>)]) -> Result<()> {
    values.iter().try_for_each(|(name, value)| match value {
        Some(value) => tx.state(name, value),
        None => tx.clear(name),
    })
}

/// The clock as it was when it was written to the disk last.
fn kept_clock(store: &Store) -> Result<Watch> {
    let Some(bytes) = store.state(CLOCK)? else {
        return Ok(Watch::default());
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_be_bytes(*word)).collect();
    match <[u64; Watch::WORDS]>::try_from(words) {
        Ok(words) if rest.is_empty() => Ok(Watch::from_words(&words)),
        _ => Err(damaged("the stored clock has a wrong length")),
    }
}

fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| io_error("make the folder", folder, &e))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The folder holds licenses, usage and mostly the device's key: for its owner alone.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
            .map_err(|e| io_error("protect the folder", folder, &e))?;
    }
    Ok(())
}

fn take_lock(folder: &Path) -> Result<File> {
    let path = folder.join("journal.lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| io_error("open the lock of", folder, &e))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(busy()),
        Err(std::fs::TryLockError::Error(e)) => Err(io_error("lock", folder, &e)),
    }
}

/// Opens the counter file; an unreadable one is set aside, never overwritten.
fn open_counters(
    folder: &Path,
    capacity: usize,
    damage: &mut Vec<Damage>,
) -> Result<(Counters, bool)> {
    let path = folder.join("counters");
    match Counters::open(&path, capacity) {
        Err(error) if error.code() == "journal_damaged" => {
            let aside = free_name(folder);
            std::fs::rename(&path, &aside)
                .map_err(|e| io_error("set aside the counter file", &path, &e))?;
            damage.push(Damage::CountersUnreadable);
            Ok((Counters::open(&path, capacity)?.0, false))
        }
        other => other,
    }
}

fn free_name(folder: &Path) -> PathBuf {
    let name = |n: u32| folder.join(format!("counters.damaged.{n}"));
    (1..u32::MAX)
        .map(name)
        .find(|path| !path.exists())
        .unwrap_or_else(|| name(0))
}

fn busy() -> Error {
    Error::new(
        "journal_busy",
        "another process has this folder open: give each process a folder of its own, or open the \
         engine once and count from forked workers",
    )
}

pub(crate) fn damaged(what: &'static str) -> Error {
    Error::new(
        "journal_damaged",
        format!("{what}; move the folder aside and activate again"),
    )
}

fn io_error(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        "journal_io",
        format!("could not {what} {}: {error}", path.display()),
    )
}

/// The name under which the clock is kept.
const CLOCK: &str = "clock";
/// The name under which the current stream's id is kept.
const CURRENT_STREAM: &str = "stream";

fn stream_of(bytes: Vec<u8>) -> Result<StreamId> {
    let bytes = bytes
        .try_into()
        .map_err(|_| damaged("the stream's id has a wrong length"))?;
    Ok(StreamId::from_bytes(bytes))
}
