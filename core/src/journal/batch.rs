//! Sending several sealed segments in one request.

use super::Journal;
use crate::error::Result;
use crate::meter::{MAX_BATCH, MAX_BATCH_BYTES, open_segment_of_any_device};

impl Journal {
    /// A segment with those that were sealed behind it, as many as one request carries.
    pub fn with_following(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let first = open_segment_of_any_device(&bytes)?;
        let inner = self.enter()?;
        for seq in (first.seq + 1..).take(MAX_BATCH - 1) {
            match inner.store.segment(first.stream, first.epoch, seq)? {
                Some(next) if bytes.len() + next.len() <= MAX_BATCH_BYTES => bytes.extend(next),
                _ => break,
            }
        }
        Ok(bytes)
    }
}
