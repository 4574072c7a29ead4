//! The memory-mapped counter file: counts that survive a killed process without a system call.
//!
//! | bytes | what |
//! |---|---|
//! | 0..64 | magic, version, cell size, capacity, digest of these |
//! | 64..192, 192..320 | two marks: generation, epoch, sequence, chain head, stream, zeros, digest |
//! | 320..448, 448..576 | two copies of the clock: generation, its words, zeros, digest |
//! | 576.. | changes of documents, boot (16 bytes), whether it ended well |
//! | 640..704 | of each kind of incident when first and how often, until a segment says so |
//! | 4096.. | cells of 256 bytes: state, value, key length, key digest, key |
//!
//! The file is written out in full before it is mapped, because a page without a block behind it
//! kills the process when the disk is full, and it is never shortened. Every word is an atomic:
//! threads, and other processes, may count into one mapping at once.
//!
//! # Invariants
//!
//! * A cell's key and its digest are there before its state is; a published cell keeps its key.
//! * Of two copies of anything in the header one is whole at every moment.
//! * The disk knows that counting goes on before anything is counted.

mod header;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fs4::FileExt as _;
use memmap2::{MmapOptions, MmapRaw};
use sha2::{Digest, Sha256};

pub(crate) use header::Mark;

use super::{Damage, Turn, damaged, io_error};
use crate::error::{Error, Result};
use crate::meter::MAX_TOTAL;

const MAGIC: [u8; 8] = *b"MTCELLS1";
const VERSION: u64 = 1;
const HEADER_BYTES: usize = 4096;
const CELL_BYTES: usize = 256;
const KEY_WORDS: usize = 28;
const MARK_WORDS: usize = 16;
/// The state of a cell whose key was damaged, once that was named.
const RETIRED: u64 = 3;

/// The most bytes of key one cell holds.
pub(crate) const MAX_CELL_KEY: usize = KEY_WORDS * 8;

/// What a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CellKind {
    /// A cumulative count, only ever added to.
    Count,
    /// The word of a quota: window and units used.
    Allowance,
}

impl CellKind {
    /// The number that stands for it in both files.
    pub const fn state(self) -> u64 {
        match self {
            Self::Count => 1,
            Self::Allowance => 2,
        }
    }

    /// The kind with this number, if it is one.
    pub const fn from_state(state: u64) -> Option<Self> {
        match state {
            1 => Some(Self::Count),
            2 => Some(Self::Allowance),
            _ => None,
        }
    }
}

/// One cell as it lies in the file: its state is published last.
#[repr(C)]
struct Cell {
    state: AtomicU64,
    value: AtomicU64,
    key_len: AtomicU64,
    digest: AtomicU64,
    key: [AtomicU64; KEY_WORDS],
}

const _: () = assert!(size_of::<Cell>() == CELL_BYTES);

/// The mapped file.
pub(crate) struct Counters {
    map: MmapRaw,
    capacity: usize,
    /// The sum of all words when they were written to the disk last.
    flushed: AtomicU64,
    lock_path: std::path::PathBuf,
}

/// The place of a cell; it stays valid as long as its [`Counters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slot(pub(in crate::journal) usize);

impl Counters {
    /// Maps the file at `path`, making it with room for `capacity` cells when there is none.
    pub fn open(path: &Path, capacity: usize) -> Result<(Self, bool)> {
        let fresh = !path.exists();
        if fresh {
            create(path, capacity)?;
        }
        Ok((Self::open_there(path)?, fresh))
    }

    /// Maps the file that is there.
    pub fn open_there(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|e| io_error("open the counter file", path, &e))?;
        let len = file
            .metadata()
            .map_err(|e| io_error("measure the counter file", path, &e))?
            .len();
        let cells = usize::try_from(len)
            .unwrap_or(0)
            .saturating_sub(HEADER_BYTES);
        if cells == 0 || cells % CELL_BYTES != 0 {
            return Err(damaged("the counter file has an impossible length"));
        }
        let map = MmapOptions::new()
            .map_raw(&file)
            .map_err(|e| io_error("map the counter file", path, &e))?;
        let lock_path = path.with_extension("lock");
        let counters = Self {
            map,
            capacity: cells / CELL_BYTES,
            flushed: AtomicU64::new(0),
            lock_path,
        };
        counters.check_header()?;
        Ok(counters)
    }

    /// The count or allowance word of a cell.
    #[inline]
    pub fn value(&self, slot: Slot) -> &AtomicU64 {
        &self.cells()[slot.0].value
    }

    /// Every published cell whose key is whole: its place, kind and key.
    ///
    /// A cell whose digest does not fit its key is named in `damage` and left out.
    pub fn published(&self, damage: &mut Vec<Damage>) -> Vec<(Slot, CellKind, Vec<u8>)> {
        let mut found = Vec::new();
        for (index, cell) in self.cells().iter().enumerate() {
            let Some(kind) = CellKind::from_state(cell.state.load(Ordering::Acquire)) else {
                continue;
            };
            match cell.read_key(kind) {
                Some(key) => found.push((Slot(index), kind, key)),
                None => damage.push(Damage::CellUnreadable { slot: index }),
            }
        }
        found
    }

    /// Leaves a cell that can't be read where it is, and out of everything.
    pub fn retire(&self, slot: usize) {
        self.cells()[slot].state.store(RETIRED, Ordering::SeqCst);
    }

    /// The cell with this key, made when there is none: under a lock that a crash releases.
    pub fn find_or_insert(&self, kind: CellKind, key: &[u8]) -> Result<Slot> {
        if key.len() > MAX_CELL_KEY {
            return Err(Error::new(
                "key_too_long",
                format!(
                    "a cell's key takes {} bytes of at most {MAX_CELL_KEY}",
                    key.len()
                ),
            ));
        }
        let _turn = Turn::wait(&self.lock_path)?;
        let mut free = None;
        for (index, cell) in self.cells().iter().enumerate() {
            match CellKind::from_state(cell.state.load(Ordering::Acquire)) {
                None if cell.state.load(Ordering::Acquire) == 0 => {
                    free = free.or(Some(index));
                }
                Some(found) if found == kind && cell.holds(key) => return Ok(Slot(index)),
                _ => {}
            }
        }
        let index = free.ok_or_else(|| {
            Error::new(
                "cells_full",
                format!(
                    "all {} cells are in use: count fewer subjects and dimensions, or open the \
                     engine with more cells",
                    self.capacity
                ),
            )
        })?;
        self.cells()[index].publish(kind, key);
        Ok(Slot(index))
    }

    /// Writes every dirty page to the disk and waits for it: then a power cut loses nothing.
    pub fn flush(&self) -> Result<()> {
        self.map.flush().map_err(|e| unwritten(&e))
    }

    /// The same for what the file says before its cells.
    pub fn flush_header(&self) -> Result<()> {
        let flushed = self.map.flush_range(0, HEADER_BYTES);
        flushed.map_err(|e| unwritten(&e))
    }

    /// The same when any word changed since it was done last.
    pub fn flush_changes(&self) -> Result<()> {
        let sum = self.sum();
        if sum != self.flushed.load(Ordering::Relaxed) {
            self.flush()?;
            self.flushed.store(sum, Ordering::Relaxed);
        }
        Ok(())
    }

    fn sum(&self) -> u64 {
        let words = self.cells().iter().enumerate().map(|(index, cell)| {
            let state = cell.state.load(Ordering::Relaxed);
            let value = cell.value.load(Ordering::Relaxed);
            // Weighted, so that what one cell gains another can't lose.
            (value ^ state << 62).wrapping_mul(2 * index as u64 + 1)
        });
        words.fold(1, u64::wrapping_add)
    }

    /// The key of a published cell of this kind.
    pub fn key(&self, slot: Slot, kind: CellKind) -> Option<Vec<u8>> {
        let cell = &self.cells()[slot.0];
        let published = cell.state.load(Ordering::Acquire) == kind.state();
        published.then(|| cell.read_key(kind)).flatten()
    }

    fn check_header(&self) -> Result<()> {
        let header = static_header(self.capacity);
        for (found, expected) in self.words().iter().zip(header) {
            if found.load(Ordering::SeqCst) != expected {
                return Err(damaged(
                    "the counter file's header is not one this version wrote",
                ));
            }
        }
        Ok(())
    }

    #[expect(
        unsafe_code,
        reason = "a mapped file can only be read through a raw pointer"
    )]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is at least HEADER_BYTES long (checked in `open`), page-aligned, and
        // lives as long as `self`. Every access to it in this program is to an `AtomicU64`, for
        // which any bit pattern is valid, so shared access from threads and other processes is
        // sound. The file is never shortened.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), HEADER_BYTES / 8) }
    }

    #[inline]
    #[expect(
        unsafe_code,
        reason = "a mapped file can only be read through a raw pointer"
    )]
    fn cells(&self) -> &[Cell] {
        // SAFETY: as in `words`; `capacity` cells of CELL_BYTES follow the header, by the length
        // that `open` checked; HEADER_BYTES keeps them aligned, and `Cell` is made of atomics.
        unsafe {
            let first = self.map.as_ptr().add(HEADER_BYTES).cast();
            std::slice::from_raw_parts(first, self.capacity)
        }
    }
}

impl Cell {
    fn publish(&self, kind: CellKind, key: &[u8]) {
        self.value.store(0, Ordering::Relaxed);
        self.key_len.store(key.len() as u64, Ordering::Relaxed);
        self.digest.store(key_digest(kind, key), Ordering::Relaxed);
        for (word, chunk) in self.key.iter().zip(key.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        self.state.store(kind.state(), Ordering::Release);
    }

    fn read_key(&self, kind: CellKind) -> Option<Vec<u8>> {
        let len = usize::try_from(self.key_len.load(Ordering::Relaxed)).ok()?;
        if len > MAX_CELL_KEY {
            return None;
        }
        let words = self.key.iter().map(|word| word.load(Ordering::Relaxed));
        let mut key: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        key.truncate(len);
        (self.digest.load(Ordering::Relaxed) == key_digest(kind, &key)).then_some(key)
    }

    fn holds(&self, key: &[u8]) -> bool {
        self.key_len.load(Ordering::Relaxed) == key.len() as u64
            && self.key.iter().zip(key.chunks(8)).all(|(word, chunk)| {
                word.load(Ordering::Relaxed).to_le_bytes()[..chunk.len()] == *chunk
            })
    }
}

/// Adds to a count without ever passing [`MAX_TOTAL`]: a full count stays full.
#[inline]
pub(crate) fn add(value: &AtomicU64, n: u64) {
    let before = value.fetch_add(n, Ordering::Relaxed);
    if before > MAX_TOTAL || n > MAX_TOTAL - before {
        value.store(MAX_TOTAL, Ordering::Relaxed);
    }
}

fn unwritten(error: &std::io::Error) -> Error {
    Error::new(
        "journal_io",
        format!("could not write the counter file to disk: {error}"),
    )
}

fn create(path: &Path, capacity: usize) -> Result<()> {
    let failed = |e: &std::io::Error| io_error("make the counter file", path, e);
    // Written beside and renamed, so that a crash leaves either no file or a whole one.
    let beside = path.with_extension("new");
    let mut file = File::create(&beside).map_err(|e| failed(&e))?;
    let len = HEADER_BYTES + capacity * CELL_BYTES;
    file.allocate(len as u64).map_err(|e| failed(&e))?;
    let mut bytes = vec![0u8; len];
    for (chunk, word) in bytes.chunks_mut(8).zip(static_header(capacity)) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| failed(&e))?;
    std::fs::rename(&beside, path).map_err(|e| failed(&e))
}

fn static_header(capacity: usize) -> [u64; 8] {
    let mut words = [0; 8];
    words[0] = u64::from_le_bytes(MAGIC);
    words[1] = VERSION;
    words[2] = CELL_BYTES as u64;
    words[3] = capacity as u64;
    words[7] = digest_words(&words[..7]);
    words.map(u64::to_le)
}

fn digest_words(words: &[u64]) -> u64 {
    let digest = words
        .iter()
        .fold(Sha256::new(), |d, word| d.chain_update(word.to_le_bytes()));
    first_word(&digest.finalize())
}

fn key_digest(kind: CellKind, key: &[u8]) -> u64 {
    let digest = Sha256::new()
        .chain_update(kind.state().to_le_bytes())
        .chain_update(key);
    first_word(&digest.finalize())
}

fn first_word(digest: &[u8]) -> u64 {
    digest
        .iter()
        .take(8)
        .fold(0, |word, &byte| (word << 8) | u64::from(byte))
}
