//! Locks between processes, which the system takes back from a process that ends.
//!
//! They are taken back by a call and not only by closing the file: a process made by `fork` in
//! between has the file open too.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::{busy, io_error};
use crate::error::Result;

/// How long somebody else's turn may take: it writes to a disk.
const TRIES: u32 = 4000;

/// One process at a time: for opening, sealing, believing receipts, and making cells.
pub(super) struct Turn(File);

impl Turn {
    /// Waits for it; `journal_busy` when somebody keeps it for too long.
    pub fn wait(path: &Path) -> Result<Self> {
        let file = open(path)?;
        for attempt in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => pause(attempt),
                Err(TryLockError::Error(e)) => return Err(io_error("lock", path, &e)),
            }
        }
        Err(busy())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing the file does the same, unless a forked process has it too.
        let _closing_is_left = self.0.unlock();
    }
}

/// Short at first, and about ten seconds in all.
fn pause(attempt: u32) {
    let micros = u64::from(attempt.min(50)) * 50;
    std::thread::sleep(Duration::from_micros(micros));
}

/// Being one of those who have the folder open. Changed only in a [`Turn`].
pub(super) struct Presence(File);

impl Presence {
    /// Joins; the second is whether nobody else is there.
    pub fn join(path: &Path) -> Result<(Self, bool)> {
        let presence = Self(open(path)?);
        let alone = presence.is_alone(path)?;
        Ok((presence, alone))
    }

    /// Whether nobody else is there.
    pub fn is_alone(&self, path: &Path) -> Result<bool> {
        let failed = |e: &std::io::Error| io_error("lock", path, e);
        self.0.unlock().map_err(|e| failed(&e))?;
        let alone = match self.0.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(e)) => return Err(failed(&e)),
        };
        self.0.unlock().map_err(|e| failed(&e))?;
        self.0.lock_shared().map_err(|e| failed(&e))?;
        Ok(alone)
    }
}

fn open(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| io_error("open the lock", path, &e))
}
