//! Noting where usage came from, asking for it, and deciding what is disputed.

use super::super::model::{Grain, MeteringError};
use super::super::sql::{StreamOwner, add_bucket, settle_cells};
use super::model::{
    Behind, Dispute, MAX_LISTED, MAX_REASON, MAX_SOURCES, QUIET_MS, Source, Trouble,
};
use super::sql::{self, Stretch};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::invoicing::{self, InvoiceQuery};
use crate::domains::quotas;
use crate::domains::{catalog, licensing};
use mintreu::Timestamp;
use mintreu::document::{Bundle, Kind, open};
use mintreu::id::{InvoiceId, LicenseId, ProductId, StreamId};
use mintreu::meter::{CellKey, Receipt};
use std::collections::BTreeMap;

/// The server's epoch, as receipts carry it.
pub(in super::super) fn server_epoch(cx: &mut Cx<'_>) -> Result<u64, MeteringError> {
    let epoch = sql::server_epoch(cx.tx, cx.caller.tenant)?;
    Ok(u64::try_from(epoch).unwrap_or(1))
}

/// Notes what a segment added to each meter.
pub(in super::super) fn note_sources(
    cx: &mut Cx<'_>,
    owner: &StreamOwner,
    (epoch, seq): (u64, u64),
    by_meter: &BTreeMap<String, u64>,
    counted_at: Timestamp,
) -> Result<(), MeteringError> {
    let of = (owner.tenant, owner.license);
    if by_meter.is_empty() {
        return Ok(());
    }
    let position = sql::last_position(cx.tx, of)? + 1;
    for (meter, units) in by_meter {
        let source = Source {
            position,
            meter: meter.clone(),
            kind: "segment".to_owned(),
            stream: owner.stream,
            epoch: whole(epoch),
            seq: whole(seq),
            units: whole(*units),
            counted_at,
            received_at: cx.now,
        };
        sql::insert_source(cx.tx, of, &source)?;
    }
    Ok(())
}

/// Notes units that a copy of a device reported in the epoch that it began.
pub(in super::super) fn note_dispute(
    cx: &mut Cx<'_>,
    owner: &StreamOwner,
    (epoch, key): (u64, &CellKey),
    units: u64,
) -> Result<(), MeteringError> {
    let of = ((owner.tenant, owner.license), owner.product);
    let place = (owner.stream, whole(epoch), key);
    Ok(sql::add_dispute(cx.tx, of, place, whole(units), cx.now)?)
}

/// Epochs, numbers and units are at most 2^63 − 1, which the engine checks.
fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Remembers, in the commit that closes the period that ended at `ended`, where its sources end.
pub fn mark_period(
    cx: &mut Cx<'_>,
    license: LicenseId,
    ended: Timestamp,
) -> Result<(), MeteringError> {
    let of = (cx.caller.tenant, license);
    let position = sql::last_position(cx.tx, of)?;
    settle_cells(cx.tx, of)?;
    Ok(sql::insert_mark(cx.tx, of, position, (ended, cx.now))?)
}

/// Which late units a bill of a closed period asks for: their meter, and how many.
pub type LateUnits<'a> = &'a [(&'a str, i64)];

/// Tells, in the commit that rates a closed period again, which sources its late units are; they
/// are the running period's no longer.
pub fn mark_late(
    cx: &mut Cx<'_>,
    license: LicenseId,
    meters: LateUnits<'_>,
    bounds: (Timestamp, Timestamp),
) -> Result<(), MeteringError> {
    let of = (cx.caller.tenant, license);
    let after = sql::last_mark(cx.tx, of)?;
    for (meter, _) in meters {
        sql::mark_late(cx.tx, of, (after, meter), bounds)?;
    }
    Ok(())
}

/// As [`mark_invoice`], of an invoice of late units.
pub fn mark_late_invoice(
    cx: &mut Cx<'_>,
    invoice: InvoiceId,
    license: LicenseId,
    meters: LateUnits<'_>,
) -> Result<(), MeteringError> {
    let of = (cx.caller.tenant, license);
    let from = sql::last_mark(cx.tx, of)?.max(sql::last_late(cx.tx, of)?);
    mark_stretch(cx, (invoice, license), (from, true), meters)
}

/// Remembers, in the commit that issues an invoice, which sources its units are: those of the
/// running period so far. `meters` are the units that were rated.
pub fn mark_invoice(
    cx: &mut Cx<'_>,
    invoice: InvoiceId,
    license: LicenseId,
    meters: &[(&str, i64)],
) -> Result<(), MeteringError> {
    let from = sql::last_mark(cx.tx, (cx.caller.tenant, license))?;
    mark_stretch(cx, (invoice, license), (from, false), meters)
}

fn mark_stretch(
    cx: &mut Cx<'_>,
    (invoice, license): (InvoiceId, LicenseId),
    (from, late): (i64, bool),
    meters: &[(&str, i64)],
) -> Result<(), MeteringError> {
    let of = (cx.caller.tenant, license);
    let until = sql::last_position(cx.tx, of)?;
    for (meter, units) in meters {
        let stretch = Stretch {
            meter: (*meter).to_owned(),
            from,
            until,
            late,
        };
        sql::insert_billed(cx.tx, of, invoice, (&stretch, *units))?;
    }
    Ok(())
}

/// Asks what stands behind an invoice's units of a meter.
#[derive(Debug, Clone)]
pub struct BehindInvoice {
    /// Which invoice.
    pub invoice: InvoiceId,
    /// Which meter.
    pub meter: String,
}

/// For who owes the invoice, who earns by it, and who runs the platform.
pub fn behind_invoice(cx: &mut ReadCx<'_>, query: &BehindInvoice) -> Result<Behind, MeteringError> {
    let asked = InvoiceQuery { id: query.invoice };
    invoicing::invoice(cx, &asked).map_err(|_| MeteringError::NotFound)?;
    let tenant = cx.caller.tenant;
    let found = sql::billed(cx.tx, tenant, query.invoice, &query.meter)?;
    let (license, stretch, units) = found.ok_or(MeteringError::NotFound)?;
    behind(cx, license, stretch, Some(units))
}

/// Asks what stands behind the running period's units of a meter.
#[derive(Debug, Clone)]
pub struct BehindPeriod {
    /// Which license.
    pub license: LicenseId,
    /// Which meter.
    pub meter: String,
}

/// For who owns the license and who sold it.
pub fn behind_period(cx: &mut ReadCx<'_>, query: &BehindPeriod) -> Result<Behind, MeteringError> {
    let license = visible(cx, query.license)?;
    let of = (cx.caller.tenant, license);
    let stretch = Stretch {
        meter: query.meter.clone(),
        from: sql::last_mark(cx.tx, of)?,
        until: sql::last_position(cx.tx, of)?,
        late: false,
    };
    behind(cx, license, stretch, None)
}

fn behind(
    cx: &mut ReadCx<'_>,
    license: LicenseId,
    stretch: Stretch,
    units: Option<i64>,
) -> Result<Behind, MeteringError> {
    let of = (cx.caller.tenant, license);
    let (from_segments, segments) = sql::sum_sources(cx.tx, of, &stretch)?;
    Ok(Behind {
        license,
        units: units.unwrap_or(from_segments),
        from_segments,
        segments,
        sources: sql::sources(cx.tx, of, &stretch, MAX_SOURCES)?,
        meter: stretch.meter,
    })
}

/// A license that the caller owns or sold.
pub(super) fn visible(cx: &mut ReadCx<'_>, license: LicenseId) -> Result<LicenseId, MeteringError> {
    let seen = licensing::view(cx, &license).map_err(|_| MeteringError::NotFound)?;
    Ok(seen.license.id)
}

/// Asks what a seller should look at.
#[derive(Debug, Clone, Copy)]
pub struct TroubleOf {
    /// Of which product.
    pub product: ProductId,
}

/// Forks, disputes, quiet devices: for the product's seller.
pub fn trouble(cx: &mut ReadCx<'_>, query: &TroubleOf) -> Result<Trouble, MeteringError> {
    let tenant = cx.caller.tenant;
    let product = catalog::product(cx.tx, tenant, query.product)?;
    let own = product.filter(|product| Some(product.seller.account) == cx.caller.account);
    let product = own.ok_or(MeteringError::NotFound)?.id;
    let before = cx.now.plus_ms(-QUIET_MS);
    Ok(Trouble {
        disputes: sql::disputes_of_product(cx.tx, tenant, product, MAX_LISTED)?,
        forks: sql::forks_of_product(cx.tx, tenant, product, MAX_LISTED)?,
        quiet: sql::quiet_streams(cx.tx, tenant, (product, before), MAX_LISTED)?,
        written_off: quotas::write_offs_of_product(cx.tx, tenant, product, MAX_LISTED)?,
        server_epoch: sql::server_epoch(cx.tx, tenant)?,
    })
}

/// The disputes that one epoch of a stream opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisputesOf {
    /// The stream.
    pub stream: StreamId,
    /// The epoch that the copy began.
    pub epoch: i64,
}

/// A seller's word on disputed units.
#[derive(Debug, Clone)]
pub struct DecideDispute {
    /// Which.
    pub of: DisputesOf,
    /// Whether they count; else they are written off.
    pub accept: bool,
    /// Why, for the customer to read.
    pub reason: String,
}

impl Command for DecideDispute {
    const NAME: &'static str = "metering.decide_dispute";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        let word = if self.accept { "accept" } else { "write off" };
        Some(format!(
            "{} epoch {}: {word}",
            self.of.stream, self.of.epoch
        ))
    }
}

/// Decides once: accepted units are counted now and rated with the running period.
pub fn decide_dispute(
    cx: &mut Cx<'_>,
    command: &DecideDispute,
) -> Result<Vec<Dispute>, MeteringError> {
    let tenant = cx.caller.tenant;
    if command.reason.chars().count() > MAX_REASON {
        return Err(MeteringError::ReasonTooLong);
    }
    let place = (command.of.stream, command.of.epoch);
    let disputes = sql::disputes_of_epoch(cx.tx, tenant, place)?;
    let first = disputes.first().ok_or(MeteringError::NotFound)?;
    let license = licensing::by_id(cx.tx, tenant, first.license)?;
    let license = license.filter(|license| Some(license.seller) == cx.caller.account);
    let license = license.ok_or(MeteringError::NotFound)?;
    if disputes.iter().any(|dispute| dispute.state != "open") {
        return Err(MeteringError::Decided);
    }
    let state = if command.accept {
        "accepted"
    } else {
        "written_off"
    };
    let decision = (state, cx.caller.account, command.reason.as_str());
    sql::decide(cx.tx, tenant, place, decision, cx.now)?;
    let of = (tenant, license.id);
    let mut by_meter = BTreeMap::<&str, i64>::new();
    for dispute in &disputes {
        let counted = if command.accept { dispute.units } else { 0 };
        sql::move_disputed(cx.tx, of, &dispute.key, (dispute.units, counted))?;
        let sum = by_meter.entry(dispute.key.meter()).or_default();
        *sum = sum.saturating_add(counted);
    }
    if command.accept {
        count_accepted(cx, (license.id, license.product), command.of, &by_meter)?;
    }
    Ok(sql::disputes_of_epoch(cx.tx, tenant, place)?)
}

fn count_accepted(
    cx: &mut Cx<'_>,
    (license, product): (LicenseId, ProductId),
    place: DisputesOf,
    by_meter: &BTreeMap<&str, i64>,
) -> Result<(), MeteringError> {
    let of = (cx.caller.tenant, license);
    let position = sql::last_position(cx.tx, of)? + 1;
    let owner = StreamOwner {
        tenant: cx.caller.tenant,
        stream: place.stream,
        license,
        product,
        activation: mintreu::id::ActivationId::from_bytes([0; 16]),
        device_key: [0; 32],
    };
    for (meter, &units) in by_meter {
        let source = Source {
            position,
            meter: (*meter).to_owned(),
            kind: "dispute".to_owned(),
            stream: place.stream,
            epoch: place.epoch,
            seq: 1,
            units,
            counted_at: cx.now,
            received_at: cx.now,
        };
        sql::insert_source(cx.tx, of, &source)?;
        for grain in Grain::ALL {
            let step = (*meter, grain.name(), grain.start(cx.now));
            let units = u64::try_from(units).unwrap_or(0);
            add_bucket(cx.tx, &owner, step, units)?;
        }
    }
    Ok(())
}

/// Says that this server was put back from a backup.
#[derive(Debug, Clone, Copy)]
pub struct NoticeRestore;

impl Command for NoticeRestore {
    const NAME: &'static str = "metering.notice_restore";
    const CAPABILITY: Capability = Capability::Operate;
}

/// Raises the server's epoch; the new one.
pub fn notice_restore(cx: &mut Cx<'_>, _command: &NoticeRestore) -> Result<u64, MeteringError> {
    raise(cx, "operator")
}

fn raise(cx: &mut Cx<'_>, who: &str) -> Result<u64, MeteringError> {
    let tenant = cx.caller.tenant;
    let next = sql::server_epoch(cx.tx, tenant)? + 1;
    sql::insert_restore(cx.tx, tenant, (next, who), cx.now)?;
    tracing::warn!(
        server_epoch = next,
        noticed_by = who,
        "restored from a backup"
    );
    server_epoch(cx)
}

/// A device's own receipt, as proof of what this server had accepted.
#[derive(Debug, Clone)]
pub struct ProveRestore {
    stream: StreamId,
    bundle: Vec<u8>,
}

impl ProveRestore {
    /// Of a receipt's bundle about a stream; whether it proves anything is asked by the use case.
    pub const fn new(stream: StreamId, bundle: Vec<u8>) -> Self {
        Self { stream, bundle }
    }
}

impl Command for ProveRestore {
    const NAME: &'static str = "metering.prove_restore";
    /// Anybody may bring a receipt: its signature is this server's own.
    const CAPABILITY: Capability = Capability::Browse;
    /// What comes of it has a row of its own.
    const AUDITED: bool = false;
}

/// A receipt of ours for more than we know of proves that we have forgotten: the epoch rises, once
/// for all the receipts of the epoch before. Whether it was proved by this one, and the epoch.
pub fn prove_restore(
    cx: &mut Cx<'_>,
    command: &ProveRestore,
) -> Result<(bool, u64), MeteringError> {
    let bundle = Bundle::from_bytes(&command.bundle)?;
    let known = sql::known_stream(cx.tx, cx.caller.tenant, command.stream)?;
    let known = known.ok_or(MeteringError::NotFound)?;
    let signer = licensing::signer_for_receipts(cx, known.product)?;
    let claims = open(Kind::Receipt, bundle.document(), &[signer.key.public()])?;
    let receipt = Receipt::from_claims(claims)?;
    let current = server_epoch(cx)?;
    let told = (whole(receipt.position.epoch), whole(receipt.position.seq));
    let of_stream = receipt.stream == command.stream;
    let ahead = told > (known.epoch, known.seq);
    let forgotten = of_stream && ahead && receipt.server_epoch == current;
    match forgotten {
        true => Ok((true, raise(cx, "receipt")?)),
        false => Ok((false, current)),
    }
}
