//! Judging an export: the same verdict on a command line, in a browser and on a server.
//!
//! An [`Audit`] takes a file in pieces, verifies every signature, holds every segment against the
//! one before by the rule of [`accept`](super::accept()) and every receipt against the chain. It keeps
//! going after something is wrong, so that the report names each place.
//!
//! # Invariants
//!
//! * Memory is bounded by the cells and epochs of a file, never by how many segments it has.
//! * What a finding speaks of is not counted.
//! * A receipt is believed only under what the reader trusts; without that, none is looked at.

mod json;
mod report;
mod walk;

pub use report::{AuditReport, AuditedCell, AuditedDevice, AuditedEpoch, Finding, ForkSeen, Mark};

use super::checkpoint::Checkpoint;
use super::export::{Counts, Record, RecordReader};
use super::key::malformed;
use super::receipt::Receipt;
use super::segment::{Segment, chain_hash, open_segment};
use crate::activation::Activation;
use crate::document::{Kind, PublicKey};
use crate::error::{Error, Result};
use crate::license::{Trust, open_bundle};
use crate::time::Timestamp;
use report::MAX_DEVICES;
use walk::Walks;

/// Judges one export, a piece at a time.
///
/// ```
/// use mintreu::meter::{Audit, Export};
///
/// let nothing = Export { device: [9; 32], activation: None, checkpoints: vec![], segments: vec![], receipts: vec![] };
/// let mut audit = Audit::new(None);
/// for piece in nothing.to_bytes().chunks(16) {
///     audit.feed(piece);
/// }
/// let report = audit.finish();
/// // 32 bytes of nines are no key that could sign.
/// assert_eq!(report.findings[0].code, "weak_key");
/// ```
#[derive(Debug)]
pub struct Audit {
    reader: RecordReader,
    judge: Judge,
    broken: bool,
}

#[derive(Debug)]
struct Judge {
    trust: Option<Trust>,
    seen: Counts,
    device: Option<PublicKey>,
    walks: Walks,
    report: AuditReport,
}

impl Audit {
    /// An audit under what the reader trusts; without it signatures and links are checked, and
    /// neither who vouches for the devices nor any receipt.
    pub fn new(trust: Option<Trust>) -> Self {
        let report = AuditReport {
            trusted: trust.is_some(),
            ..AuditReport::default()
        };
        Self {
            reader: RecordReader::new(),
            judge: Judge {
                trust,
                seen: Counts::default(),
                device: None,
                walks: Walks::default(),
                report,
            },
            broken: false,
        }
    }

    /// Takes the next bytes of the file. Once the file is found to be no export, the rest is
    /// ignored.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        let judge = &mut self.judge;
        let read = self.reader.feed(bytes, &mut |record| judge.take(record));
        if let Err(error) = read {
            self.broken = true;
            self.judge.find(&error, None);
        }
    }

    /// How many segments were judged so far.
    pub fn segments(&self) -> u64 {
        self.judge.seen.segments
    }

    /// What the file comes to.
    pub fn finish(mut self) -> AuditReport {
        if !self.broken
            && let Err(error) = self.reader.finish()
        {
            self.judge.find(&error, None);
        }
        self.judge.leave_device();
        self.judge.report.counts = self.judge.seen;
        self.judge.report.add_up();
        self.judge.report
    }
}

impl Judge {
    /// An error ends the reading: the file makes no sense from here on.
    fn take(&mut self, record: Record<'_>) -> Result<()> {
        match record {
            Record::Head(source) => self.report.source = Some(source),
            Record::Device { key, activation } => {
                self.seen.devices += 1;
                self.leave_device();
                self.enter_device(&key, activation)?;
            }
            Record::Checkpoint(document) => {
                self.seen.checkpoints += 1;
                self.checkpoint(document);
            }
            Record::Segment(document) => {
                self.seen.segments += 1;
                self.segment(document);
            }
            Record::Receipt(bundle) => {
                self.seen.receipts += 1;
                self.receipt(bundle);
            }
            Record::Fork {
                document,
                received_at,
            } => {
                self.seen.forks += 1;
                self.fork(document, received_at);
            }
            Record::End(counts) if counts == self.seen => {}
            Record::End(_) => {
                return Err(malformed(
                    "the export holds another number of records than it says",
                ));
            }
        }
        Ok(())
    }

    fn enter_device(&mut self, key: &[u8; 32], activation: Option<&[u8]>) -> Result<()> {
        if self.report.devices.len() >= MAX_DEVICES {
            return Err(malformed("the export has too many sections"));
        }
        let (device, vouched) = match PublicKey::from_bytes(key) {
            Ok(device) => (Some(device), self.vouched(&device, activation)),
            Err(error) => (None, Err(error)),
        };
        self.device = device;
        let vouched = vouched.unwrap_or_else(|error| {
            self.find(&error, None);
            None
        });
        self.report.devices.push(AuditedDevice {
            key: *key,
            vouched: vouched.is_some(),
            license: vouched.map(|activation| activation.license),
        });
        Ok(())
    }

    /// The activation by which the seller vouches for the device; `None` where nobody was to be
    /// trusted.
    fn vouched(&self, device: &PublicKey, activation: Option<&[u8]>) -> Result<Option<Activation>> {
        let Some(trust) = &self.trust else {
            return Ok(None);
        };
        let bundle = activation.ok_or_else(|| {
            Error::new(
                "device_not_activated",
                "the export holds no activation, so that nobody vouches for its device",
            )
        })?;
        let verified = Activation::verify(bundle, trust)?;
        match verified.claims().device == *device {
            true => Ok(Some(verified.claims().clone())),
            false => Err(Error::new(
                "wrong_device",
                "the activation in the export is for another device than the one that signed",
            )),
        }
    }

    fn leave_device(&mut self) {
        let seen = self.report.receipts > 0;
        for (error, epoch, seq) in self.walks.finish(&mut self.report, seen) {
            self.find(&error, Some((epoch, seq)));
        }
        self.device = None;
    }

    fn segment(&mut self, document: &[u8]) {
        let opened = self.open(document);
        let index = self.report.devices.len().saturating_sub(1);
        let outcome = opened.map_err(|error| (error, None)).and_then(|segment| {
            let place = Some((segment.epoch, segment.seq));
            let hash = chain_hash(document);
            let walked = self.walks.step(&mut self.report, index, segment, hash);
            walked.map_err(|error| (error, place))
        });
        if let Err((error, place)) = outcome {
            self.find(&error, place);
        }
    }

    fn checkpoint(&mut self, document: &[u8]) {
        let index = self.report.devices.len().saturating_sub(1);
        let opened = self
            .signer()
            .and_then(|key| Checkpoint::open(document, &key));
        let outcome = opened.map_err(|error| (error, None)).and_then(|folded| {
            let place = Some((folded.position.epoch, folded.position.seq));
            let begun = self.walks.begin_folded(&mut self.report, index, &folded);
            begun.map_err(|error| (error, place))
        });
        if let Err((error, place)) = outcome {
            self.find(&error, place);
        }
    }

    fn open(&self, document: &[u8]) -> Result<Segment> {
        open_segment(document, &self.signer()?)
    }

    fn signer(&self) -> Result<PublicKey> {
        let nobody = || malformed("nobody can have signed this");
        self.device.ok_or_else(nobody)
    }

    fn receipt(&mut self, bundle: &[u8]) {
        let Some(trust) = &self.trust else { return };
        let opened = open_bundle(Kind::Receipt, bundle, trust)
            .and_then(|opened| Receipt::from_claims(opened.claims()));
        let held = opened.map_err(|error| (error, None)).and_then(|receipt| {
            let place = Some((receipt.position.epoch, receipt.position.seq));
            let held = self.walks.hold(&mut self.report, &receipt);
            held.map_err(|error| (error, place))
        });
        match held {
            Ok(()) => self.report.receipts += 1,
            Err((error, place)) => self.find(&error, place),
        }
    }

    fn fork(&mut self, document: &[u8], received_at: Timestamp) {
        match self.open(document) {
            Ok(segment) => self.report.note_fork(ForkSeen {
                device: self.report.devices.len().saturating_sub(1),
                stream: segment.stream,
                epoch: segment.epoch,
                seq: segment.seq,
                hash: chain_hash(document),
                received_at,
            }),
            Err(error) => self.find(&error, None),
        }
    }

    /// Notes what is wrong, with the place it was found at.
    fn find(&mut self, error: &Error, place: Option<(u64, u64)>) {
        let finding = Finding {
            code: error.code(),
            detail: error.detail().to_owned(),
            device: self.seen.devices,
            segment: self.seen.segments,
            receipt: self.seen.receipts,
            place,
        };
        self.report.note(finding);
    }
}

#[cfg(test)]
mod tests;
