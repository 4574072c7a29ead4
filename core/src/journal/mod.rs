//! The device's own folder: counters that survive `kill -9`, and a journal that survives a power
//! cut.
//!
//! Any number of processes may have one folder open. It holds `counters` (memory-mapped, see
//! `counters.rs`), `journal.db` (SQLite in WAL mode with `synchronous=FULL`, see `store/`),
//! three locks (`lock.rs`), and `device/` with the device's key unless that is kept elsewhere (see
//! `device.rs`). Reading starts at `Journal::open`; `session.rs` is how a process gets at the file.
//!
//! # Invariants
//!
//! * A cell's value only rises. What is unsealed is the cell's value less the journal's `sealed`.
//! * A segment, the cells it seals and the stream it belongs to change in one transaction, which
//!   is on the disk before the segment leaves the journal.
//! * The mark in the counter file is written after that transaction. A journal that lies behind
//!   the mark has lost something: it is never continued, a new epoch begins.
//! * A receipt is believed over a segment, a segment over a cell.
//! * Whoever seals or believes a receipt has the turn of all processes and knows what they wrote.
//! * Only who opens a folder alone puts it right.
//! * After `fork`, counting goes on in both processes; what else a child does it does through a
//!   connection of its own, and never while it has inherited an open one.
//! * What is acknowledged as durable, a count or an event, is in a transaction that was synced.
//!
//! # Tables
//!
//! `state` (which key is the device's, pending request, numbers), `document` (licenses and the
//! activation), `stream`, `cell`, `segment`, `receipt`; `durable` (cells that survive a power cut
//! by themselves), `event`, `fold`.

mod batch;
mod counters;
mod damage;
mod device;
mod durable;
mod export;
mod lock;
mod receipts;
mod recovery;
mod sealing;
mod session;
mod store;
mod streams;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use counters::CellKind;
pub(crate) use counters::add;
use counters::{Counters, Slot};
pub use damage::Damage;
use durable::Group;
pub use export::Sink;
pub(crate) use export::export_folder;
use lock::{Presence, Turn};
pub use sealing::CellUsage;
pub(crate) use sealing::SealTime;
use session::Inner;
use store::{Store, Write};

use crate::clock::Watch;
use crate::document::SigningKey;
use crate::error::{Error, Result};
use crate::id::{LicenseId, StreamId};
use crate::keystore::{DeviceKey, Protection};
use crate::meter::{CellKey, Counts, stream_id};
use crate::time::Timestamp;

/// How many cells a folder has room for unless the caller says otherwise; also the most.
pub const DEFAULT_CELLS: usize = 4096;

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

    /// Where the word is, to be found again from any other cell of the folder.
    pub fn place(&self) -> usize {
        self.slot.0
    }

    /// The word at a [`place`](Self::place) of the same folder.
    #[inline]
    pub fn word_at(&self, place: usize) -> &AtomicU64 {
        self.counters.value(Slot(place))
    }
}

/// How a folder is opened.
pub(crate) struct Opening<'a> {
    /// How many cells it has room for, when it is made.
    pub cells: usize,
    pub keys: &'a DeviceKey,
    /// This boot of the machine, where that is known.
    pub boot: Option<[u8; 16]>,
    pub now: Timestamp,
}

/// An open folder.
pub(crate) struct Journal {
    folder: PathBuf,
    device: SigningKey,
    counters: Arc<Counters>,
    /// Where known cells are: a shortcut past the search in the counter file.
    slots: Mutex<HashMap<(CellKind, Vec<u8>), Slot>>,
    /// What is known of the journal's file while it is open: nothing while it rests.
    inner: Mutex<Option<Inner>>,
    /// Whether the file was used since it was asked for the last time.
    used: AtomicBool,
    group: Group,
    /// The process that opened the folder, and the one whose `inner` it is: a child's after `fork`.
    opener: u32,
    owner: AtomicU32,
    /// Up to which of the changes of documents this process has seen them.
    seen: AtomicU64,
    protection: Protection,
    presence: Presence,
}

/// Under which name cells are kept before there is a stream.
const NO_STREAM: StreamId = StreamId::from_bytes([0; 16]);

/// Under which name it is remembered that a new device took over the folder, until what the
/// former one held was put away.
const HANDED_OVER: &str = "handed over";

impl Journal {
    /// Opens a folder, making it when there is none. Who opens it alone puts right what it can.
    ///
    /// `journal_busy` when another process is at it for too long, or has it open where only one
    /// may; `journal_damaged` when its file cannot be believed; `journal_io` and `disk_full` when
    /// the folder cannot be read or written; `keystore_locked`, `keystore_unavailable` and
    /// `keystore_failed` when the device's key cannot be reached.
    pub fn open(folder: &Path, opening: &Opening<'_>) -> Result<(Self, Vec<Damage>)> {
        let capacity = opening.cells.clamp(1, DEFAULT_CELLS);
        make_folder(folder)?;
        let _turn = Turn::wait(&folder.join(TURN))?;
        let (presence, alone) = Presence::join(&folder.join(PRESENCE))?;
        let mut damage = Vec::new();
        let mut store = Store::open(&folder.join(FILE))?;
        let (counters, fresh) = open_counters(folder, capacity, alone, &mut damage)?;
        let device = device::open(&mut store, folder, opening.keys, alone)?;
        let mut inner = Inner::read(store, device.key.clone())?;
        if fresh && inner.stream.is_some() {
            damage.push(Damage::CountersMissing);
        }
        if let Some(renewal) = &device.renewed {
            recovery::hand_over(&mut inner, &counters, renewal)?;
            renewal.forget_former(folder);
            damage.push(renewal.why.clone());
        }
        if alone {
            recovery::after_power(&counters, opening.boot, &mut damage)?;
            recovery::reconcile(&mut inner, &counters, &mut damage)?;
            recovery::note(&counters, &damage, opening.now);
        }
        let pid = std::process::id();
        let journal = Self {
            folder: folder.to_owned(),
            device: device.key,
            seen: AtomicU64::new(counters.documents().load(Ordering::Acquire)),
            counters: Arc::new(counters),
            slots: Mutex::default(),
            inner: Mutex::new(Some(inner)),
            used: AtomicBool::new(true),
            group: Group::default(),
            opener: pid,
            owner: AtomicU32::new(pid),
            protection: device.protection,
            presence,
        };
        Ok((journal, damage))
    }

    /// The key that signs for this device.
    pub fn device(&self) -> &SigningKey {
        &self.device
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

    /// The word of a quota, made when there is none.
    pub fn word(&self, key: Vec<u8>) -> Result<CellHandle> {
        self.cell(CellKind::Allowance, key)
    }

    /// Every word of a quota whose key begins so, in the order of the keys.
    pub fn words(&self, prefix: &[u8]) -> Vec<(Vec<u8>, CellHandle)> {
        // What is unreadable was told of when the folder was opened.
        let published = self.counters.published(&mut Vec::new());
        let mut words: Vec<_> = published
            .into_iter()
            .filter(|(_, kind, key)| *kind == CellKind::Allowance && key.starts_with(prefix))
            .map(|(slot, _, key)| {
                let counters = Arc::clone(&self.counters);
                (key, CellHandle { counters, slot })
            })
            .collect();
        words.sort_by(|a, b| a.0.cmp(&b.0));
        words
    }

    fn cell(&self, kind: CellKind, key: Vec<u8>) -> Result<CellHandle> {
        let slot = if std::process::id() == self.opener {
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

    /// A small named value.
    pub fn state(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.enter()?.store.state(name)
    }

    /// Remembers or (with `None`) forgets small named values, on the disk when this returns.
    pub fn set_states(&self, values: &[(&str, Option<&[u8]>)]) -> Result<()> {
        self.enter()?.store.write(|tx| write_states(tx, values))
    }

    /// A named number; 0 when it was never set.
    pub fn number(&self, name: &str) -> Result<i64> {
        self.enter()?.store.number(name)
    }

    /// Remembers a named number.
    pub fn set_number(&self, name: &str, value: i64) -> Result<()> {
        self.set_states(&[(name, Some(&value.to_be_bytes()))])
    }

    /// The clock as it was when it was looked at last.
    pub fn clock(&self) -> Result<Watch> {
        let kept = kept_clock(&self.enter()?.store)?;
        Ok(self
            .counters
            .clock()
            .map_or(kept, |watch| watch.merged(kept)))
    }

    /// Remembers the clock where a killed process doesn't lose it; no system call.
    pub fn note_clock(&self, watch: &Watch) {
        // Of two processes that write at once one may spoil the other's, never the older copy.
        let kept = self.counters.clock();
        self.counters
            .set_clock(&kept.map_or(*watch, |kept| watch.merged(kept)));
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
        self.enter()?.store.documents()
    }

    /// Keeps a document under a name, in place of the one before.
    pub fn keep_document(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.enter()?.store.write(|tx| tx.document(name, bytes))?;
        self.documents_changed();
        Ok(())
    }

    /// Forgets documents, keeps others and changes small named values, all in one transaction.
    pub fn replace_documents(
        &self,
        forget: &[&str],
        keep: &[(&str, &[u8])],
        states: &[(&str, Option<&[u8]>)],
    ) -> Result<()> {
        self.enter()?.store.write(|tx| {
            forget
                .iter()
                .try_for_each(|name| tx.forget_document(name))?;
            keep.iter()
                .try_for_each(|(name, bytes)| tx.document(name, bytes))?;
            write_states(tx, states)
        })?;
        if !forget.is_empty() || !keep.is_empty() {
            self.documents_changed();
        }
        Ok(())
    }

    /// Tells the other processes, and takes this one to know.
    fn documents_changed(&self) {
        let before = self.counters.documents().fetch_add(1, Ordering::AcqRel);
        let known = (Ordering::AcqRel, Ordering::Relaxed);
        let _others_changed_them_too =
            self.seen
                .compare_exchange(before, before.wrapping_add(1), known.0, known.1);
    }

    /// How often documents were changed, by whichever process; only ever rises.
    #[inline]
    pub fn changes(&self) -> u64 {
        self.counters.documents().load(Ordering::Acquire)
    }

    /// Whether another process has changed documents; says so once.
    #[inline]
    pub fn has_news(&self) -> bool {
        let now = self.changes();
        now != self.seen.load(Ordering::Acquire) && self.seen.swap(now, Ordering::AcqRel) != now
    }

    /// Writes out every kept segment and receipt of this device, oldest first.
    pub fn export(
        &self,
        activation: &dyn Fn(LicenseId) -> String,
        out: &mut Sink<'_>,
    ) -> Result<Counts> {
        let inner = self.enter()?;
        let own = |stream, license| stream == stream_id(self.device.public(), license);
        inner.store.export(activation, &own, out)
    }

    /// What stands for the segments that are not kept any more.
    pub fn checkpoints(&self) -> Result<Vec<Vec<u8>>> {
        let inner = self.enter()?;
        let mut all = Vec::new();
        for stream in self.own_streams(&inner)? {
            all.extend(inner.store.checkpoints(stream)?);
        }
        Ok(all)
    }

    fn own_streams(&self, inner: &Inner) -> Result<Vec<StreamId>> {
        let streams = inner.store.streams()?.into_iter();
        let own = streams
            .filter(|(stream, license)| *stream == stream_id(self.device.public(), *license))
            .map(|(stream, _)| stream);
        Ok(own.collect())
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

/// Opens the counter file; an unreadable one is set aside, never overwritten.
fn open_counters(
    folder: &Path,
    capacity: usize,
    alone: bool,
    damage: &mut Vec<Damage>,
) -> Result<(Counters, bool)> {
    let path = folder.join("counters");
    if !alone {
        // Others count in it: a new one beside theirs would be counted twice or not at all.
        return match Counters::open_there(&path) {
            Err(error) if error.code() == "journal_damaged" => Err(busy()),
            other => Ok((other?, false)),
        };
    }
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
        "another process keeps this folder to itself, or has it open while something in it must be \
         put right: end that process and try again",
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

fn forked() -> Error {
    Error::new(
        "forked",
        "this process was forked while the engine was busy with its file: it may count; to sync, \
         open the engine after forking, or fork a second after its last use",
    )
}

/// The journal's file, and the locks of its folder.
const FILE: &str = "journal.db";
const PRESENCE: &str = "journal.lock";
const TURN: &str = "journal.turn";
/// The name under which the clock is kept.
const CLOCK: &str = "clock";
/// The name under which the position is kept that was left when segments were put together.
const LEFT: &str = "left";
/// The name under which the current stream's id is kept.
const CURRENT_STREAM: &str = "stream";

fn stream_of(bytes: Vec<u8>) -> Result<StreamId> {
    let bytes = bytes
        .try_into()
        .map_err(|_| damaged("the stream's id has a wrong length"))?;
    Ok(StreamId::from_bytes(bytes))
}
