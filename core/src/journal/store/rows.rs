//! The journal's rows as values, and the digests that guard them.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::{CellKind, unsigned};
use crate::id::{LicenseId, StreamId};
use crate::meter::ChainHash;

/// How far one stream is sealed, acknowledged and to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRow {
    pub stream: StreamId,
    pub license: LicenseId,
    pub product: String,
    pub epoch: u64,
    pub seq: u64,
    pub head: ChainHash,
    /// The highest sequence number of this epoch that a receipt vouches for.
    pub acked: u64,
    /// The next sequence number of this epoch to send.
    pub send: u64,
}

/// What the journal knows of one cell, in the cell's own absolute units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CellRow {
    /// The cell's value when the epoch began.
    pub base: u64,
    /// Its value in the last segment that carries it.
    pub sealed: u64,
    /// Its value in the last acknowledged segment that carries it.
    pub acked: u64,
}

/// An event that waits for a segment.
pub(crate) struct EventRow {
    pub id: i64,
    pub disputed: bool,
    pub bytes: Vec<u8>,
}

/// The cells of one stream by their keys.
pub(crate) type Cells = HashMap<Vec<u8>, CellRow>;

impl StreamRow {
    pub(super) fn digest(&self) -> Vec<u8> {
        let numbers = [self.epoch, self.seq, self.acked, self.send].map(u64::to_be_bytes);
        digest8(&[
            self.stream.as_bytes(),
            self.license.as_bytes(),
            numbers.as_flattened(),
            &self.head,
            self.product.as_bytes(),
        ])
    }
}

impl CellRow {
    /// A cell of whose `value` nothing is left to report.
    pub fn reported(value: u64) -> Self {
        Self {
            base: value,
            sealed: value,
            acked: value,
        }
    }

    pub(super) fn digest(&self, key: &[u8]) -> Vec<u8> {
        let numbers = [self.base, self.sealed, self.acked].map(u64::to_be_bytes);
        digest8(&[numbers.as_flattened(), key])
    }
}

pub(super) fn read_stream(row: &rusqlite::Row<'_>) -> rusqlite::Result<StreamRow> {
    Ok(StreamRow {
        stream: StreamId::from_bytes(row.get(0)?),
        license: LicenseId::from_bytes(row.get(1)?),
        product: row.get(2)?,
        epoch: unsigned(row.get(3)?)?,
        seq: unsigned(row.get(4)?)?,
        head: row.get(5)?,
        acked: unsigned(row.get(6)?)?,
        send: unsigned(row.get(7)?)?,
    })
}

pub(super) fn sum_name(stream: StreamId) -> String {
    format!("cells of {stream}")
}

pub(super) fn digest8(parts: &[&[u8]]) -> Vec<u8> {
    let digest = parts
        .iter()
        .fold(Sha256::new(), |d, part| d.chain_update(part));
    digest.finalize()[..8].to_vec()
}

pub(super) fn durable_digest(kind: CellKind, key: &[u8], value: u64) -> Vec<u8> {
    digest8(&[&kind.state().to_be_bytes(), &value.to_be_bytes(), key])
}

pub(super) fn mix(sum: &mut [u8; 8], digest: &[u8]) {
    for (byte, other) in sum.iter_mut().zip(digest) {
        *byte ^= other;
    }
}
