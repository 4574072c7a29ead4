//! Accepting segments.

use super::evidence::ops as evidence;
use super::late::{self, closed_period};
use super::model::Grain;
use super::model::{Answer, MAX_CELLS, MAX_FORKS, MAX_INCREASE, MeteringError, Outcome};
use super::sql::{self, Stream, StreamOwner, Units};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::licensing;
use mintreu::Timestamp;
use mintreu::id::{AccountId, LicenseId, ProductId, StreamId};
use mintreu::meter::{
    CellKey, ChainHash, Event, Opening, Position, Receipt, Remainder, Segment, TimeQuality,
    Verdict, accept, chain_hash, increase, open_segment_of_any_device, remainder,
};
use std::collections::BTreeMap;

/// One segment, whose signature holds; whether its device may report is asked by the use case.
#[derive(Debug, Clone)]
pub struct AcceptSegment {
    segment: Segment,
    hash: ChainHash,
    document: Vec<u8>,
}

impl AcceptSegment {
    /// Verifies and reads a segment's bytes; the engine's codes say what is wrong with them.
    pub fn read(document: Vec<u8>) -> Result<Self, MeteringError> {
        let segment = open_segment_of_any_device(&document)?;
        let hash = chain_hash(&document);
        Ok(Self {
            segment,
            hash,
            document,
        })
    }
}

impl Command for AcceptSegment {
    const NAME: &'static str = "metering.accept_segment";
    /// Anybody may bring a segment: its signature says whose it is.
    const CAPABILITY: Capability = Capability::Browse;
    /// The stored segment says more than an audit row could.
    const AUDITED: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.segment.stream.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![format!("usage/{}", self.segment.license)]
    }
}

/// What a segment that was counted carried, for whoever counts it otherwise beside.
#[derive(Debug, Clone)]
pub struct Carried {
    /// The stream.
    pub stream: StreamId,
    /// Its license.
    pub license: LicenseId,
    /// What is used.
    pub product: ProductId,
    /// Who sells it.
    pub seller: AccountId,
    /// When its units were used, as charts say.
    pub at: Timestamp,
    /// By how much its totals rose.
    pub units: Vec<(CellKey, u64)>,
    /// Its events, each with when it happened.
    pub events: Vec<(Timestamp, Event)>,
}

/// Counts a segment once, whatever is repeated, reordered or lost on the way; and tells what it
/// carried, if it was counted now.
///
/// A gap and a fork are answers, not errors: what they leave behind (evidence, nothing) is
/// committed, and the receipt tells the device what to do next.
pub fn accept_segment(
    cx: &mut Cx<'_>,
    command: &AcceptSegment,
) -> Result<(Answer, Option<Carried>), MeteringError> {
    let segment = &command.segment;
    let device = reporting_device(cx, segment)?;
    let owner = device.owner;
    let stored = sql::stream(cx.tx, owner.tenant, owner.stream)?;
    let at = stored
        .as_ref()
        .map_or(Position::START, |stored| stored.position);
    let before = sql::segment_hash(cx.tx, owner.tenant, segment)?;
    match accept(at, segment, command.hash, before) {
        Verdict::Apply(next) => {
            let receipt = sign(cx, &device, next)?;
            let moved = Stream {
                position: next,
                receipt: receipt.clone(),
            };
            match stored {
                None => sql::insert_stream(cx.tx, &owner, &moved, cx.now)?,
                Some(_) => sql::move_stream(cx.tx, &owner, &moved, cx.now)?,
            }
            let kept = (segment, command.hash, command.document.as_slice());
            sql::insert_segment(cx.tx, owner.tenant, kept, (&receipt, cx.now))?;
            let carried = count(cx, &device, segment)?;
            licensing::seen(cx, owner.activation)?;
            let outcome = Outcome::Counted;
            Ok((Answer { outcome, receipt }, Some(carried)))
        }
        Verdict::Duplicate => answer(cx, &device, stored, Outcome::CountedBefore),
        Verdict::Gap => {
            let need = Outcome::Gap {
                epoch: at.epoch.max(1),
                need_from_seq: at.seq + 1,
            };
            answer(cx, &device, stored, need)
        }
        Verdict::Fork => {
            keep_fork(cx, &owner, command)?;
            answer(cx, &device, stored, Outcome::Fork)
        }
    }
}

/// A device that may report, and what its receipts need.
struct Device {
    owner: StreamOwner,
    seller: AccountId,
    product_code: String,
    activated_at: Timestamp,
}

fn reporting_device(cx: &mut Cx<'_>, segment: &Segment) -> Result<Device, MeteringError> {
    let found = licensing::device(cx, segment.license, segment.device.as_bytes())?;
    let device = found.ok_or(MeteringError::UnknownDevice)?;
    if device.license.revoked_at.is_some() {
        return Err(MeteringError::Revoked);
    }
    if device.activation.deactivated_at.is_some() {
        return Err(MeteringError::Deactivated);
    }
    if device.license.product_code != segment.product {
        return Err(MeteringError::WrongProduct);
    }
    Ok(Device {
        owner: StreamOwner {
            tenant: cx.caller.tenant,
            stream: segment.stream,
            license: segment.license,
            product: device.license.product,
            activation: device.activation.id,
            device_key: *segment.device.as_bytes(),
        },
        seller: device.license.seller,
        product_code: device.license.product_code,
        activated_at: device.activation.activated_at,
    })
}

/// The stored receipt; a stream that has none yet gets one for its start, which isn't stored.
fn answer(
    cx: &mut Cx<'_>,
    device: &Device,
    stored: Option<Stream>,
    outcome: Outcome,
) -> Result<(Answer, Option<Carried>), MeteringError> {
    let receipt = match stored {
        Some(stored) => stored.receipt,
        None => sign(cx, device, Position::START)?,
    };
    Ok((Answer { outcome, receipt }, None))
}

fn sign(cx: &mut Cx<'_>, device: &Device, position: Position) -> Result<Vec<u8>, MeteringError> {
    let server_epoch = evidence::server_epoch(cx)?;
    let receipt = Receipt {
        product: device.product_code.clone(),
        stream: device.owner.stream,
        position,
        issued_at: cx.now,
        server_epoch,
    };
    let signer = licensing::signer_for_receipts(cx, device.owner.product)?;
    let certificates: Vec<&[u8]> = signer.certificates.iter().map(Vec::as_slice).collect();
    Ok(receipt.seal(&signer.key, &certificates)?)
}

fn keep_fork(
    cx: &mut Cx<'_>,
    owner: &StreamOwner,
    command: &AcceptSegment,
) -> Result<(), MeteringError> {
    if sql::count_forks(cx.tx, owner.tenant, owner.stream)? >= MAX_FORKS {
        return Err(MeteringError::TooManyForks);
    }
    let kept = (&command.segment, command.hash, command.document.as_slice());
    Ok(sql::insert_fork(cx.tx, owner.tenant, kept, cx.now)?)
}

/// Adds what the segment's cumulative totals say beyond what is stored.
fn count(cx: &mut Cx<'_>, device: &Device, segment: &Segment) -> Result<Carried, MeteringError> {
    let bounded = |at| counted_at(segment, at, device.activated_at, cx.now);
    let at = bounded(segment.sealed_at);
    let events = segment.events.iter();
    let events = events
        .map(|event| (bounded(event.at()), event.clone()))
        .collect();
    let mut tally = Tally {
        late: closed_period(cx, segment.license, at)?,
        ..Tally::default()
    };
    for total in &segment.totals {
        tally.raise(cx, &device.owner, (segment.epoch, &total.key), total.units)?;
    }
    if let Some(opening) = &segment.opening {
        tally.close(cx, &device.owner, (segment.epoch, opening))?;
    }
    if tally.new_cells && sql::count_cells(cx.tx, &device.owner)? > MAX_CELLS {
        return Err(MeteringError::TooManyCells);
    }
    let place = (segment.epoch, segment.seq);
    evidence::note_sources(cx, &device.owner, place, &tally.by_meter, at)?;
    for (meter, units) in tally.by_meter {
        for grain in Grain::ALL {
            let step = (meter.as_str(), grain.name(), grain.start(at));
            sql::add_bucket(cx.tx, &device.owner, step, units)?;
        }
    }
    Ok(Carried {
        stream: device.owner.stream,
        license: device.owner.license,
        product: device.owner.product,
        seller: device.seller,
        at,
        units: tally.units,
        events,
    })
}

/// When charts say it was used: the device's word, kept between its activation and now.
fn counted_at(
    segment: &Segment,
    said: Timestamp,
    activated_at: Timestamp,
    now: Timestamp,
) -> Timestamp {
    match segment.time_quality {
        TimeQuality::Suspect => now,
        TimeQuality::Unknown | TimeQuality::Plausible => said.max(activated_at).min(now),
    }
}

#[derive(Default)]
struct Tally {
    by_meter: BTreeMap<String, u64>,
    new_cells: bool,
    /// By how much each cell rose.
    units: Vec<(CellKey, u64)>,
    /// The end of the closed period that the segment is of.
    late: Option<Timestamp>,
}

impl Tally {
    /// Raises one cell of one epoch to `reported`; a total that falls is refused.
    fn raise(
        &mut self,
        cx: &mut Cx<'_>,
        owner: &StreamOwner,
        (epoch, key): (u64, &CellKey),
        reported: u64,
    ) -> Result<(), MeteringError> {
        let stored = sql::cell(cx.tx, owner, epoch, key)?;
        let counted = increase(stored, reported)?;
        if counted > MAX_INCREASE {
            return Err(MeteringError::Implausible);
        }
        if counted == 0 {
            return Ok(());
        }
        self.new_cells |= stored == 0;
        self.units.push((key.clone(), counted));
        let units = Units {
            counted,
            disputed: 0,
        };
        sql::set_cell(cx.tx, owner, (epoch, key), reported)?;
        sql::add_total(cx.tx, owner, key, units)?;
        if let Some(ended) = self.late {
            late::note(cx, owner.license, (key, ended), counted)?;
        }
        let sum = self.by_meter.entry(key.meter().to_owned()).or_default();
        *sum = sum.saturating_add(counted);
        Ok(())
    }

    /// What an epoch that was left behind still owes, or disputes.
    fn close(
        &mut self,
        cx: &mut Cx<'_>,
        owner: &StreamOwner,
        (epoch, opening): (u64, &Opening),
    ) -> Result<(), MeteringError> {
        for closed in &opening.closed {
            let accepted = sql::cell(cx.tx, owner, opening.closed_epoch, &closed.key)?;
            match remainder(opening.reason, closed, accepted) {
                Remainder::Owed(units) => {
                    let cell = (opening.closed_epoch, &closed.key);
                    self.raise(cx, owner, cell, accepted.saturating_add(units))?;
                }
                Remainder::Disputed(0) => {}
                Remainder::Disputed(disputed) => {
                    let units = Units {
                        counted: 0,
                        disputed: disputed.min(MAX_INCREASE),
                    };
                    sql::add_total(cx.tx, owner, &closed.key, units)?;
                    let cell = (epoch, &closed.key);
                    evidence::note_dispute(cx, owner, cell, units.disputed)?;
                }
            }
        }
        Ok(())
    }
}

/// What events say that a license used: no device, no segment, a meter's name.
#[derive(Debug, Clone)]
pub struct EventUnits {
    /// Which license.
    pub license: LicenseId,
    /// Its product.
    pub product: ProductId,
    /// The product's meter.
    pub meter: String,
    /// When charts say that it was used.
    pub at: Timestamp,
}

/// Adds the units of events to what a license has used; a correction takes units away.
pub fn count_event_units(
    cx: &mut Cx<'_>,
    of: &EventUnits,
    units: i64,
) -> Result<(), MeteringError> {
    if units == 0 {
        return Ok(());
    }
    let key = CellKey::new(of.meter.as_str())?;
    let whose = (cx.caller.tenant, of.license, of.product);
    sql::add_units(cx.tx, whose, (&key, of.at), units)?;
    match (u64::try_from(units), closed_period(cx, of.license, of.at)?) {
        (Ok(more), Some(ended)) => late::note(cx, of.license, (&key, ended), more),
        _ => Ok(()),
    }
}
