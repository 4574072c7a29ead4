//! What happens by itself: counts reach the disk, segments are sealed by time, the journal rests.
//!
//! One thread for each open engine, which ends with it. It holds the engine only while it works,
//! and a child made by `fork` has none: its counts are in the same pages, which the parent's thread
//! writes out.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Shared;
use crate::error::Result;

/// Every so many turns it is looked whether a segment is due.
const SEAL_TURNS: u32 = 60;

/// Keeps the thread going: dropped, it ends.
pub(super) struct Ticker {
    stop: Option<Sender<()>>,
    process: u32,
}

impl Ticker {
    /// Begins to work for an engine every so often.
    pub fn start(shared: &Arc<Shared>, every: Duration) -> Self {
        let (stop, stopped) = channel();
        let weak = Arc::downgrade(shared);
        let work = move || {
            let mut turn: u32 = 0;
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                turn = turn.wrapping_add(1);
                if !work(&weak, turn) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("mintreu".to_owned());
        // Where no thread may be made the host calls `flush` itself.
        let started = thread.spawn(work).is_ok();
        Self {
            stop: started.then_some(stop),
            process: std::process::id(),
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // In a child: the other end belongs to a thread that is not here.
            std::mem::forget(self.stop.take());
        }
    }
}

fn work(shared: &Weak<Shared>, turn: u32) -> bool {
    let Some(shared) = shared.upgrade() else {
        return false;
    };
    shared.journal.flush_changes();
    if turn.is_multiple_of(SEAL_TURNS) {
        // What can't be sealed now is tried again, and its failure is in the next segment.
        let _tried_again = seal_when_due(&shared);
    }
    shared.journal.rest_when_idle();
    true
}

/// Seals what was counted when the last segment is old enough.
pub(super) fn seal_when_due(shared: &Shared) -> Result<bool> {
    let after = i64::try_from(shared.pace.seal.as_millis()).unwrap_or(i64::MAX);
    shared.journal.seal_when_due(shared.seal_time(), after)
}
