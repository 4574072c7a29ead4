//! How a process gets at the journal's file: one connection, opened when it is needed, closed when
//! it rests, and never carried over a `fork`.
//!
//! SQLite must not be used by a child through what it inherited, nor opened beside it: the locks of
//! the one would pass for the other's. So a child that finds the file at rest opens it for itself,
//! and one that finds it open is told `forked`.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::store::{Cells, Store, StreamRow};
use super::{FILE, Journal, NO_STREAM, PRESENCE, TURN, Turn, forked, recovery};
use crate::document::SigningKey;
use crate::error::Result;
use crate::meter::IncidentKind;

/// What the journal keeps in memory of its file, changed only after the file was.
pub(super) struct Inner {
    pub store: Store,
    pub device: SigningKey,
    /// The stream that is being continued; before the first activation only its cells.
    pub stream: Option<StreamRow>,
    pub cells: Cells,
    /// The file's state that this is of.
    version: i64,
}

/// The journal's file, open and up to date, for this thread alone.
pub(super) struct Session<'a> {
    journal: &'a Journal,
    inner: MutexGuard<'a, Option<Inner>>,
    /// Also for this process alone.
    _turn: Option<Turn>,
}

impl Inner {
    /// Reads what an open file says.
    pub fn read(store: Store, device: SigningKey) -> Result<Self> {
        let (stream, cells, version) = store.at_once(read_all)?;
        Ok(Self {
            store,
            device,
            stream,
            cells,
            version,
        })
    }

    fn refresh(&mut self) -> Result<()> {
        if self.store.version()? != self.version {
            (self.stream, self.cells, self.version) = self.store.at_once(read_all)?;
        }
        Ok(())
    }
}

fn read_all(store: &Store) -> Result<(Option<StreamRow>, Cells, i64)> {
    let stream = recovery::current_stream(store)?;
    let cells = store.cells(stream.as_ref().map_or(NO_STREAM, |row| row.stream))?;
    Ok((stream, cells, store.version()?))
}

impl Journal {
    /// The file, to read it or to change what no other rows hang on.
    pub(super) fn enter(&self) -> Result<Session<'_>> {
        self.session(false)
    }

    /// The file, to seal and to believe receipts: one process at a time.
    pub(super) fn turn(&self) -> Result<Session<'_>> {
        self.session(true)
    }

    fn session(&self, turn: bool) -> Result<Session<'_>> {
        let mut inner = self.own()?;
        let turn = match turn {
            true => Some(Turn::wait(&self.folder.join(TURN))?),
            false => None,
        };
        match inner.as_mut() {
            Some(open) => {
                if let Err(error) = open.refresh() {
                    *inner = None;
                    return Err(error);
                }
            }
            None => {
                let opened = reopen(&self.folder, &self.device);
                *inner = Some(opened.inspect_err(|error| self.note_failure(error.code()))?);
            }
        }
        self.used.store(true, Ordering::Relaxed);
        Ok(Session {
            journal: self,
            inner,
            _turn: turn,
        })
    }

    /// Has the next segment say that the disk failed.
    fn note_failure(&self, code: &str) {
        let kind = match code {
            "disk_full" => IncidentKind::DiskFull,
            "journal_io" => IncidentKind::WriteFailed,
            _ => return,
        };
        self.counters.note(kind, self.about_now());
    }

    /// This process's own share, also in a child that was forked while the file was at rest.
    pub(super) fn own(&self) -> Result<MutexGuard<'_, Option<Inner>>> {
        let pid = std::process::id();
        if self.owner.load(Ordering::Acquire) == pid {
            return Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner));
        }
        // The lock may be held by a thread that this process has not, or by one that does this too.
        for _ in 0..100 {
            let inner = match self.inner.try_lock() {
                Ok(inner) => inner,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
            };
            if self.owner.load(Ordering::Acquire) != pid {
                if inner.is_some() {
                    return Err(forked());
                }
                self.group.reset();
                self.owner.store(pid, Ordering::Release);
            }
            return Ok(inner);
        }
        Err(forked())
    }

    /// Closes the file until it is needed again.
    pub fn rest(&self) {
        if self.owner.load(Ordering::Acquire) == std::process::id()
            && let Ok(mut inner) = self.inner.try_lock()
        {
            *inner = None;
        }
    }

    /// Closes the file when it was not used since this was called before.
    pub fn rest_when_idle(&self) {
        if !self.used.swap(false, Ordering::Relaxed) {
            self.rest();
        }
    }

    /// Writes every count to the disk and waits for it; the last to close also says that it ended
    /// well.
    fn close(&mut self) -> Result<()> {
        *self.inner.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let _turn = Turn::wait(&self.folder.join(TURN))?;
        if self.presence.is_alone(&self.folder.join(PRESENCE))? {
            self.counters.flush_changes()?;
            self.counters.set_clean();
        }
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.opener == std::process::id() {
            // What can't be written now is named as a power cut when there is one.
            let _written_or_named = self.close();
        } else if *self.owner.get_mut() != std::process::id() {
            // The parent's: closing it here would take the parent's locks away.
            let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(inner.take());
        }
    }
}

fn reopen(folder: &Path, device: &SigningKey) -> Result<Inner> {
    Inner::read(Store::open(&folder.join(FILE))?, device.clone())
}

const OPEN: &str = "a session is made with the file open";

impl Deref for Session<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        self.inner.as_ref().expect(OPEN)
    }
}

impl DerefMut for Session<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        self.inner.as_mut().expect(OPEN)
    }
}

impl Drop for Session<'_> {
    /// A connection that failed to write is not trusted with the next transaction.
    fn drop(&mut self) {
        let failed = self.inner.as_ref().and_then(|inner| inner.store.failed());
        if let Some(code) = failed {
            self.journal.note_failure(code);
            *self.inner = None;
        }
    }
}
