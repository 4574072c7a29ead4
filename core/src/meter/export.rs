//! The export: a journal's own account of its usage, for anybody with public keys.
//!
//! The file is a sequence of CBOR items (RFC 8742), so that it is written and read a record at a
//! time and a history of years needs no more memory than a day. The bytes are normative in
//! `docs/usage-protocol.md`; [`Audit`](super::Audit) judges what they say.

use std::convert::Infallible;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::key::malformed;
use crate::error::{Error, Result};
use crate::time::Timestamp;

const FORMAT: &str = "mintreu/usage-export/3";
/// The longest record: an activation with the license inside, with room to spare.
pub const MAX_RECORD: usize = 2 << 20;
/// The most documents of one kind that [`Export::from_bytes`] keeps in memory.
const MAX_DOCUMENTS: u64 = 100_000;

const END: u64 = 0;
const DEVICE: u64 = 1;
const SEGMENT: u64 = 2;
const RECEIPT: u64 = 3;
const FORK: u64 = 4;
const CHECKPOINT: u64 = 5;

/// Who wrote an export. Nothing signs it: it says what a reader may expect, no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A device, of its own journal: old segments may be folded away, new ones not reported yet.
    Device,
    /// A server, of everything it accepted for a license, and of the forks it kept.
    Server,
}

/// How many records of each kind a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Sections, each of one device.
    pub devices: u64,
    /// Segments.
    pub segments: u64,
    /// Receipts.
    pub receipts: u64,
    /// Forks.
    pub forks: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

/// One record of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// Comes first, once.
    Head(Source),
    /// Begins a section: what follows was signed by this device.
    Device {
        /// Its public key.
        key: [u8; 32],
        /// The activation bundle that binds it to a license.
        activation: Option<&'a [u8]>,
    },
    /// Stands for the first segments of an epoch, before those that are left of it.
    Checkpoint(&'a [u8]),
    /// A segment, in the order of sealing.
    Segment(&'a [u8]),
    /// A receipt, after the segment it vouches for.
    Receipt(&'a [u8]),
    /// Evidence: a segment that the server did not count, since the chain went on another way.
    Fork {
        /// The segment.
        document: &'a [u8],
        /// When it came, by the server's clock.
        received_at: Timestamp,
    },
    /// Comes last, once: a file without it was cut.
    End(Counts),
}

/// Writes an export a record at a time: each method gives the bytes to append.
#[derive(Debug, Default)]
pub struct ExportWriter {
    counts: Counts,
}

type Encoding = std::result::Result<(), minicbor::encode::Error<Infallible>>;

fn encoded(write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Encoding) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    // A vector takes every byte.
    write(&mut e).ok();
    e.into_writer()
}

impl ExportWriter {
    /// Begins a file: the bytes of its first record.
    pub fn begin(source: Source) -> (Self, Vec<u8>) {
        let source = match source {
            Source::Device => 1,
            Source::Server => 2,
        };
        let head = encoded(|e| e.array(2)?.str(FORMAT)?.u64(source)?.ok());
        (Self::default(), head)
    }

    /// Begins a device's section.
    pub fn device(&mut self, key: &[u8; 32], activation: Option<&[u8]>) -> Vec<u8> {
        self.counts.devices += 1;
        encoded(|e| {
            e.array(3)?.u64(DEVICE)?.bytes(key)?;
            match activation {
                Some(bundle) => e.bytes(bundle)?.ok(),
                None => e.null()?.ok(),
            }
        })
    }

    /// A checkpoint, before the segments of its epoch.
    pub fn checkpoint(&mut self, document: &[u8]) -> Vec<u8> {
        self.counts.checkpoints += 1;
        encoded(|e| e.array(2)?.u64(CHECKPOINT)?.bytes(document)?.ok())
    }

    /// A segment.
    pub fn segment(&mut self, document: &[u8]) -> Vec<u8> {
        self.counts.segments += 1;
        encoded(|e| e.array(2)?.u64(SEGMENT)?.bytes(document)?.ok())
    }

    /// A receipt, after the segment it vouches for.
    pub fn receipt(&mut self, bundle: &[u8]) -> Vec<u8> {
        self.counts.receipts += 1;
        encoded(|e| e.array(2)?.u64(RECEIPT)?.bytes(bundle)?.ok())
    }

    /// A forked segment.
    pub fn fork(&mut self, document: &[u8], received_at: Timestamp) -> Vec<u8> {
        self.counts.forks += 1;
        encoded(|e| {
            e.array(3)?.u64(FORK)?.bytes(document)?;
            e.i64(received_at.ms())?.ok()
        })
    }

    /// What was written so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Ends the file.
    pub fn end(self) -> Vec<u8> {
        let Counts {
            devices,
            segments,
            receipts,
            forks,
            checkpoints,
        } = self.counts;
        encoded(|e| {
            e.array(6)?.u64(END)?.u64(devices)?.u64(segments)?;
            e.u64(receipts)?.u64(forks)?.u64(checkpoints)?.ok()
        })
    }
}

/// Reads an export in pieces of any size, holding one record at a time.
#[derive(Debug, Default)]
pub struct RecordReader {
    buffer: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl RecordReader {
    /// A reader at the beginning of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and gives every record they complete to `sink`.
    ///
    /// `usage_malformed` says that the bytes are no export; what came before stands.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(bytes);
        let mut used = 0;
        while used < buffer.len() {
            if self.ended {
                return Err(malformed("bytes follow the end of the export"));
            }
            let Some((record, len)) = next_record(&buffer[used..], self.begun)? else {
                break;
            };
            self.begun = true;
            self.ended = matches!(record, Record::End(_));
            sink(record)?;
            used += len;
        }
        buffer.drain(..used);
        self.buffer = buffer;
        match self.buffer.len() > MAX_RECORD {
            true => Err(malformed("a record of the export is too long")),
            false => Ok(()),
        }
    }

    /// Whether the file ended where it should.
    pub fn finish(&self) -> Result<()> {
        match self.ended {
            true => Ok(()),
            false => Err(malformed("the export is cut: its last record is missing")),
        }
    }
}

type Decoding<T> = std::result::Result<T, minicbor::decode::Error>;

/// The first whole record and its length; `None` when more bytes are needed.
fn next_record(bytes: &[u8], begun: bool) -> Result<Option<(Record<'_>, usize)>> {
    let mut d = Decoder::new(bytes);
    let read = match begun {
        true => body(&mut d),
        false => head(&mut d),
    };
    match read {
        Ok(Some(record)) => Ok(Some((record, d.position()))),
        Ok(None) => Err(malformed(
            "this is no usage export of a version this program knows",
        )),
        Err(error) if error.is_end_of_input() => Ok(None),
        Err(error) => Err(not_cbor(error)),
    }
}

fn head<'b>(d: &mut Decoder<'b>) -> Decoding<Option<Record<'b>>> {
    if d.array()? != Some(2) || d.str()? != FORMAT {
        return Ok(None);
    }
    Ok(match d.u64()? {
        1 => Some(Record::Head(Source::Device)),
        2 => Some(Record::Head(Source::Server)),
        _ => None,
    })
}

fn body<'b>(d: &mut Decoder<'b>) -> Decoding<Option<Record<'b>>> {
    let len = d.array()?;
    let kind = d.u64()?;
    let record = match (kind, len) {
        (END, Some(6)) => Record::End(Counts {
            devices: d.u64()?,
            segments: d.u64()?,
            receipts: d.u64()?,
            forks: d.u64()?,
            checkpoints: d.u64()?,
        }),
        (DEVICE, Some(3)) => {
            let Ok(key) = <[u8; 32]>::try_from(d.bytes()?) else {
                return Ok(None);
            };
            let activation = match d.datatype()? {
                Type::Null => d.null().map(|()| None)?,
                _ => Some(d.bytes()?),
            };
            Record::Device { key, activation }
        }
        (SEGMENT, Some(2)) => Record::Segment(d.bytes()?),
        (RECEIPT, Some(2)) => Record::Receipt(d.bytes()?),
        (CHECKPOINT, Some(2)) => Record::Checkpoint(d.bytes()?),
        (FORK, Some(3)) => Record::Fork {
            document: d.bytes()?,
            received_at: Timestamp::from_ms(d.i64()?),
        },
        _ => return Ok(None),
    };
    Ok(Some(record))
}

fn not_cbor(_: minicbor::decode::Error) -> Error {
    malformed("the export is broken")
}

/// One device's export in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The public key of the device: 32 bytes.
    pub device: [u8; 32],
    /// The activation bundle that binds the device to its license.
    pub activation: Option<Vec<u8>>,
    /// Checkpoints, by epoch.
    pub checkpoints: Vec<Vec<u8>>,
    /// Segment documents in the order they were sealed.
    pub segments: Vec<Vec<u8>>,
    /// Receipt bundles in the order they came.
    pub receipts: Vec<Vec<u8>>,
}

impl Export {
    /// The file of one section: its checkpoints, its segments, then its receipts. Which units of a cell a receipt
    /// vouches for can then be told of those only that no later segment changed; an engine writes
    /// each receipt behind its segment.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mut writer, mut bytes) = ExportWriter::begin(Source::Device);
        bytes.extend(writer.device(&self.device, self.activation.as_deref()));
        for document in &self.checkpoints {
            bytes.extend(writer.checkpoint(document));
        }
        for document in &self.segments {
            bytes.extend(writer.segment(document));
        }
        for bundle in &self.receipts {
            bytes.extend(writer.receipt(bundle));
        }
        bytes.extend(writer.end());
        bytes
    }

    /// Reads a device's file; one with several sections or with forks is for
    /// [`Audit`](super::Audit).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut found: Option<Self> = None;
        let mut reader = RecordReader::new();
        reader.feed(bytes, &mut |record| take(&mut found, record))?;
        reader.finish()?;
        found.ok_or_else(|| malformed("the export is of no device"))
    }
}

fn take(found: &mut Option<Export>, record: Record<'_>) -> Result<()> {
    match (record, found) {
        (Record::Head(_), _) => Ok(()),
        (Record::Device { key, activation }, found @ None) => {
            *found = Some(Export {
                device: key,
                activation: activation.map(<[u8]>::to_vec),
                checkpoints: Vec::new(),
                segments: Vec::new(),
                receipts: Vec::new(),
            });
            Ok(())
        }
        (Record::Checkpoint(document), Some(found)) => keep(&mut found.checkpoints, document),
        (Record::Segment(document), Some(found)) => keep(&mut found.segments, document),
        (Record::Receipt(bundle), Some(found)) => keep(&mut found.receipts, bundle),
        (Record::End(counts), Some(found)) => {
            let held = (found.segments.len() as u64, found.receipts.len() as u64);
            match (counts.segments, counts.receipts) == held {
                true => Ok(()),
                false => Err(malformed(
                    "the export holds another number of documents than it says",
                )),
            }
        }
        _ => Err(malformed("the export is not of one device alone")),
    }
}

fn keep(documents: &mut Vec<Vec<u8>>, document: &[u8]) -> Result<()> {
    if documents.len() as u64 >= MAX_DOCUMENTS {
        return Err(malformed("an export has too many documents"));
    }
    documents.push(document.to_vec());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let (mut writer, mut bytes) = ExportWriter::begin(Source::Server);
        bytes.extend(writer.device(&[7; 32], Some(b"activation")));
        bytes.extend(writer.checkpoint(b"checkpoint"));
        bytes.extend(writer.segment(&[1; 300]));
        bytes.extend(writer.receipt(b"receipt"));
        bytes.extend(writer.fork(b"fork", Timestamp::from_ms(-5)));
        bytes.extend(writer.end());
        bytes
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<String>> {
        let (mut reader, mut seen) = (RecordReader::new(), Vec::new());
        for part in bytes.chunks(piece) {
            reader.feed(part, &mut |record| {
                seen.push(format!("{record:?}"));
                Ok(())
            })?;
        }
        reader.finish()?;
        Ok(seen)
    }

    #[test]
    fn pieces_of_any_size_give_the_same_records() {
        let bytes = sample();
        let whole = read(&bytes, bytes.len()).unwrap();
        assert_eq!(whole.len(), 7);
        for piece in [1, 2, 7, 64] {
            assert_eq!(read(&bytes, piece).unwrap(), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_cut_long_or_strange_is_refused() {
        let bytes = sample();
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], 50).is_err(), "cut at {cut}");
        }
        let more = [bytes.as_slice(), &[0]].concat();
        assert!(read(&more, more.len()).is_err());
        assert!(read(b"not an export", 4).is_err());
        let (_, mut endless) = ExportWriter::begin(Source::Device);
        endless.extend([0x82, 0x02, 0x5a, 0xff, 0xff, 0xff, 0xff]);
        endless.resize(endless.len() + MAX_RECORD, 0);
        assert!(read(&endless, 1 << 16).is_err(), "no memory is promised");
        assert!(Export::from_bytes(&bytes).is_err(), "it holds a fork");
    }
}
