//! Statements about where usage came from.

use super::model::{Dispute, Fork, Quiet, Source};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, ActivationId, InvoiceId, LicenseId, ProductId, StreamId, TenantId};
use mintreu::meter::CellKey;

const LAST_POSITION: &str = "SELECT CAST(COALESCE(MAX(position), 0) AS BIGINT) AS last
    FROM usage_source WHERE tenant_id = :tenant AND license_id = :license";

const INSERT_SOURCE: &str =
    "INSERT INTO usage_source (tenant_id, license_id, position, meter, kind,
        stream_id, epoch, seq, units, counted_at, received_at)
    VALUES (:tenant, :license, :position, :meter, :kind, :stream, :epoch, :seq, :units, :counted,
        :now)";

const SOURCES: &str = "SELECT position, meter, kind, stream_id, epoch, seq, units, counted_at,
        received_at
    FROM usage_source WHERE tenant_id = :tenant AND license_id = :license
        AND position > :start AND position <= :until AND meter = :meter
        AND CASE kind WHEN 'late' THEN 1 ELSE 0 END = CAST(:late AS BIGINT)
    ORDER BY position LIMIT :limit";

const SUM_SOURCES: &str = "SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units,
        COUNT(*) AS segments
    FROM usage_source WHERE tenant_id = :tenant AND license_id = :license
        AND position > :start AND position <= :until AND meter = :meter
        AND CASE kind WHEN 'late' THEN 1 ELSE 0 END = CAST(:late AS BIGINT)";

const LAST_LATE: &str = "SELECT CAST(COALESCE(MAX(until_position), 0) AS BIGINT) AS last
    FROM usage_billed WHERE tenant_id = :tenant AND license_id = :license AND late > 0";

const MARK_LATE: &str = "UPDATE usage_source SET kind = 'late'
    WHERE tenant_id = :tenant AND license_id = :license AND position > :start AND meter = :meter
        AND kind = 'segment' AND counted_at >= :began AND counted_at < :ended";

const LAST_MARK: &str = "SELECT CAST(COALESCE(MAX(position), 0) AS BIGINT) AS last
    FROM usage_mark WHERE tenant_id = :tenant AND license_id = :license";

const INSERT_MARK: &str = "INSERT INTO usage_mark (tenant_id, license_id, position, marked_at,
        ended_at)
    VALUES (:tenant, :license, :position, :now, :ended)";

const INSERT_BILLED: &str = "INSERT INTO usage_billed (tenant_id, invoice_id, meter, license_id,
        units, from_position, until_position, late)
    VALUES (:tenant, :invoice, :meter, :license, :units, :start, :until, :late)
    ON CONFLICT (tenant_id, invoice_id, meter) DO NOTHING";

const BILLED: &str = "SELECT license_id, units, from_position, until_position, late
    FROM usage_billed
    WHERE tenant_id = :tenant AND invoice_id = :invoice AND meter = :meter";

const ADD_DISPUTE: &str = "INSERT INTO usage_dispute (tenant_id, stream_id, epoch, cell_key,
        license_id, product_id, meter, subject, units, state, opened_at)
    VALUES (:tenant, :stream, :epoch, :cell, :license, :product, :meter, :subject, :units, 'open',
        :now)
    ON CONFLICT (tenant_id, stream_id, epoch, cell_key) DO NOTHING";

const DISPUTES_OF_PRODUCT: &str = "SELECT stream_id, epoch, license_id, cell_key, units, state,
        opened_at, decided_at, reason
    FROM usage_dispute WHERE tenant_id = :tenant AND product_id = :product
    ORDER BY CASE state WHEN 'open' THEN 0 ELSE 1 END, opened_at DESC, stream_id, epoch, cell_key
    LIMIT :limit";

const DISPUTES_OF_EPOCH: &str = "SELECT stream_id, epoch, license_id, cell_key, units, state,
        opened_at, decided_at, reason
    FROM usage_dispute WHERE tenant_id = :tenant AND stream_id = :stream AND epoch = :epoch
    ORDER BY cell_key";

const DECIDE: &str =
    "UPDATE usage_dispute SET state = :state, decided_at = :now, decided_by = :who,
        reason = :reason
    WHERE tenant_id = :tenant AND stream_id = :stream AND epoch = :epoch AND state = 'open'";

const MOVE_DISPUTED: &str = "UPDATE usage_total
    SET units = units + :counted, disputed_units = disputed_units - :disputed
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter
        AND subject = :subject AND cell_key = :cell";

const FORKS_OF_PRODUCT: &str = "SELECT usage_fork.stream_id AS stream_id, license_id,
        usage_fork.epoch AS epoch, usage_fork.seq AS seq, hash, received_at
    FROM usage_fork JOIN usage_stream ON usage_stream.tenant_id = usage_fork.tenant_id
        AND usage_stream.stream_id = usage_fork.stream_id
    WHERE usage_fork.tenant_id = :tenant AND product_id = :product
    ORDER BY received_at DESC, hash LIMIT :limit";

const FORK_DOCUMENT: &str = "SELECT document FROM usage_fork
    WHERE tenant_id = :tenant AND stream_id = :stream AND hash = :hash";

const FORKS_OF_STREAM: &str = "SELECT document, received_at FROM usage_fork
    WHERE tenant_id = :tenant AND stream_id = :stream ORDER BY received_at, hash";

const QUIET_STREAMS: &str = "SELECT stream_id, license_id, epoch, seq, updated_at FROM usage_stream
    WHERE tenant_id = :tenant AND product_id = :product AND updated_at < :before
    ORDER BY updated_at, stream_id LIMIT :limit";

const STREAMS_OF_LICENSE: &str = "SELECT stream_id, activation_id, device_key FROM usage_stream
    WHERE tenant_id = :tenant AND license_id = :license AND stream_id > :after
    ORDER BY stream_id LIMIT :limit";

const OWNER_OF_STREAM: &str = "SELECT license_id, product_id, activation_id, device_key, epoch, seq
    FROM usage_stream WHERE tenant_id = :tenant AND stream_id = :stream";

const SEGMENTS: &str = "SELECT epoch, seq, document, receipt FROM usage_segment
    WHERE tenant_id = :tenant AND stream_id = :stream
        AND (epoch > :epoch OR epoch = :epoch AND seq > :seq)
    ORDER BY epoch, seq LIMIT :limit";

const SEGMENT_RECEIPT: &str = "SELECT document, receipt FROM usage_segment
    WHERE tenant_id = :tenant AND stream_id = :stream AND epoch = :epoch AND seq = :seq";

const SERVER_EPOCH: &str = "SELECT CAST(COALESCE(MAX(server_epoch), 0) AS BIGINT) AS last
    FROM usage_restore WHERE tenant_id = :tenant";

const INSERT_RESTORE: &str = "INSERT INTO usage_restore (tenant_id, server_epoch, noticed_at,
        noticed_by)
    VALUES (:tenant, :epoch, :now, :who)";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    LAST_POSITION,
    INSERT_SOURCE,
    SOURCES,
    SUM_SOURCES,
    LAST_LATE,
    MARK_LATE,
    LAST_MARK,
    INSERT_MARK,
    INSERT_BILLED,
    BILLED,
    ADD_DISPUTE,
    DISPUTES_OF_PRODUCT,
    DISPUTES_OF_EPOCH,
    DECIDE,
    MOVE_DISPUTED,
    FORKS_OF_PRODUCT,
    FORK_DOCUMENT,
    FORKS_OF_STREAM,
    QUIET_STREAMS,
    STREAMS_OF_LICENSE,
    OWNER_OF_STREAM,
    SEGMENTS,
    SEGMENT_RECEIPT,
    SERVER_EPOCH,
    INSERT_RESTORE,
];

/// A license of a tenant.
pub type Owned = (TenantId, LicenseId);

fn owned((tenant, license): Owned) -> [(&'static str, Value); 2] {
    [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ]
}

fn last(tx: &mut dyn Tx, sql: &str, of: Owned) -> Result<i64, StoreError> {
    let row = tx.query_one(sql, &owned(of))?;
    row.map_or(Ok(0), |row| row.int("last"))
}

/// The place of the last source of a license; 0 when it has none.
pub fn last_position(tx: &mut dyn Tx, of: Owned) -> Result<i64, StoreError> {
    last(tx, LAST_POSITION, of)
}

/// Where the running period's sources begin.
pub fn last_mark(tx: &mut dyn Tx, of: Owned) -> Result<i64, StoreError> {
    last(tx, LAST_MARK, of)
}

/// Where the last stretch of late sources ended that an invoice asked for.
pub fn last_late(tx: &mut dyn Tx, of: Owned) -> Result<i64, StoreError> {
    last(tx, LAST_LATE, of)
}

/// Tells sources behind a place as late that happened in a closed period.
pub fn mark_late(
    tx: &mut dyn Tx,
    of: Owned,
    (after, meter): (i64, &str),
    (began, ended): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let mut params = owned(of).to_vec();
    params.extend([
        ("start", after.into()),
        ("meter", meter.into()),
        ("began", began.into()),
        ("ended", ended.into()),
    ]);
    tx.execute(MARK_LATE, &params).map(|_| ())
}

/// Remembers where the sources of a period ended that ended at `ended`.
pub fn insert_mark(
    tx: &mut dyn Tx,
    of: Owned,
    position: i64,
    (ended, now): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let mut params = owned(of).to_vec();
    params.extend([
        ("position", position.into()),
        ("ended", ended.into()),
        ("now", now.into()),
    ]);
    tx.execute(INSERT_MARK, &params).map(|_| ())
}

/// Notes what a segment or an accepted dispute added.
pub fn insert_source(tx: &mut dyn Tx, of: Owned, source: &Source) -> Result<(), StoreError> {
    let mut params = owned(of).to_vec();
    params.extend([
        ("position", source.position.into()),
        ("meter", source.meter.as_str().into()),
        ("kind", source.kind.as_str().into()),
        ("stream", source.stream.as_bytes().into()),
        ("epoch", source.epoch.into()),
        ("seq", source.seq.into()),
        ("units", source.units.into()),
        ("counted", source.counted_at.into()),
        ("now", source.received_at.into()),
    ]);
    tx.execute(INSERT_SOURCE, &params).map(|_| ())
}

/// A stretch of a meter's sources: behind the first place, up to the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The meter.
    pub meter: String,
    /// Behind this place.
    pub from: i64,
    /// Up to this one.
    pub until: i64,
    /// Whether it is of the late sources alone, or of all others.
    pub late: bool,
}

fn stretch_params(of: Owned, stretch: &Stretch) -> Vec<(&'static str, Value)> {
    let mut params = owned(of).to_vec();
    params.extend([
        ("start", stretch.from.into()),
        ("until", stretch.until.into()),
        ("meter", stretch.meter.as_str().into()),
        ("late", i64::from(stretch.late).into()),
    ]);
    params
}

/// The sources of a stretch, at most `limit`.
pub fn sources(
    tx: &mut dyn Tx,
    of: Owned,
    stretch: &Stretch,
    limit: i64,
) -> Result<Vec<Source>, StoreError> {
    let mut params = stretch_params(of, stretch);
    params.push(("limit", limit.into()));
    let read = |row: &Row| {
        Ok(Source {
            position: row.int("position")?,
            meter: row.text("meter")?,
            kind: row.text("kind")?,
            stream: row.id("stream_id", StreamId::from_bytes)?,
            epoch: row.int("epoch")?,
            seq: row.int("seq")?,
            units: row.int("units")?,
            counted_at: row.at("counted_at")?,
            received_at: row.at("received_at")?,
        })
    };
    tx.query(SOURCES, &params)?.iter().map(read).collect()
}

/// Units and number of all sources of a stretch.
pub fn sum_sources(
    tx: &mut dyn Tx,
    of: Owned,
    stretch: &Stretch,
) -> Result<(i64, i64), StoreError> {
    let row = tx.query_one(SUM_SOURCES, &stretch_params(of, stretch))?;
    row.map_or(Ok((0, 0)), |row| {
        Ok((row.int("units")?, row.int("segments")?))
    })
}

/// Remembers which stretch an invoice's units of a meter are.
pub fn insert_billed(
    tx: &mut dyn Tx,
    of: Owned,
    invoice: InvoiceId,
    (stretch, units): (&Stretch, i64),
) -> Result<(), StoreError> {
    let mut params = stretch_params(of, stretch);
    params.extend([
        ("invoice", invoice.as_bytes().into()),
        ("units", units.into()),
    ]);
    tx.execute(INSERT_BILLED, &params).map(|_| ())
}

/// Which license's stretch an invoice's units of a meter are, and how many they are.
pub fn billed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    invoice: InvoiceId,
    meter: &str,
) -> Result<Option<(LicenseId, Stretch, i64)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("meter", meter.into()),
    ];
    let read = |row: Row| {
        let stretch = Stretch {
            meter: meter.to_owned(),
            from: row.int("from_position")?,
            until: row.int("until_position")?,
            late: row.int("late")? > 0,
        };
        let license = row.id("license_id", LicenseId::from_bytes)?;
        Ok((license, stretch, row.int("units")?))
    };
    tx.query_one(BILLED, &params)?.map(read).transpose()
}

/// Opens a dispute, once.
pub fn add_dispute(
    tx: &mut dyn Tx,
    (of, product): (Owned, ProductId),
    (stream, epoch, key): (StreamId, i64, &CellKey),
    units: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = owned(of).to_vec();
    params.extend([
        ("product", product.as_bytes().into()),
        ("stream", stream.as_bytes().into()),
        ("epoch", epoch.into()),
        ("cell", key.to_bytes().into()),
        ("meter", key.meter().into()),
        ("subject", key.subject_id().into()),
        ("units", units.into()),
        ("now", now.into()),
    ]);
    tx.execute(ADD_DISPUTE, &params).map(|_| ())
}

fn dispute(row: &Row) -> Result<Dispute, StoreError> {
    let key = CellKey::from_bytes(&row.blob("cell_key")?);
    Ok(Dispute {
        stream: row.id("stream_id", StreamId::from_bytes)?,
        epoch: row.int("epoch")?,
        license: row.id("license_id", LicenseId::from_bytes)?,
        key: key.map_err(|error| StoreError::shape(error.to_string()))?,
        units: row.int("units")?,
        state: row.text("state")?,
        opened_at: row.at("opened_at")?,
        decided_at: row.opt_at("decided_at")?,
        reason: row.opt_text("reason")?,
    })
}

fn product_params(tenant: TenantId, product: ProductId, limit: i64) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("limit", limit.into()),
    ]
}

/// A product's disputes, the open ones first.
pub fn disputes_of_product(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
    limit: i64,
) -> Result<Vec<Dispute>, StoreError> {
    let params = product_params(tenant, product, limit);
    tx.query(DISPUTES_OF_PRODUCT, &params)?
        .iter()
        .map(dispute)
        .collect()
}

fn epoch_params(tenant: TenantId, (stream, epoch): (StreamId, i64)) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("stream", stream.as_bytes().into()),
        ("epoch", epoch.into()),
    ]
}

/// The disputes that one epoch of a stream opened.
pub fn disputes_of_epoch(
    tx: &mut dyn Tx,
    tenant: TenantId,
    epoch: (StreamId, i64),
) -> Result<Vec<Dispute>, StoreError> {
    let rows = tx.query(DISPUTES_OF_EPOCH, &epoch_params(tenant, epoch))?;
    rows.iter().map(dispute).collect()
}

/// Closes the open disputes of an epoch.
pub fn decide(
    tx: &mut dyn Tx,
    tenant: TenantId,
    epoch: (StreamId, i64),
    (state, who, reason): (&str, Option<AccountId>, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = epoch_params(tenant, epoch);
    params.extend([
        ("state", state.into()),
        ("who", who.map(|who| who.as_bytes().to_vec()).into()),
        ("reason", reason.into()),
        ("now", now.into()),
    ]);
    tx.execute(DECIDE, &params).map(|_| ())
}

/// Takes units out of a cell's disputed ones, and counts as many of them.
pub fn move_disputed(
    tx: &mut dyn Tx,
    of: Owned,
    key: &CellKey,
    (disputed, counted): (i64, i64),
) -> Result<(), StoreError> {
    let mut params = owned(of).to_vec();
    params.extend([
        ("meter", key.meter().into()),
        ("subject", key.subject_id().into()),
        ("cell", key.to_bytes().into()),
        ("disputed", disputed.into()),
        ("counted", counted.into()),
    ]);
    tx.execute(MOVE_DISPUTED, &params).map(|_| ())
}

/// A product's forks, the newest first.
pub fn forks_of_product(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
    limit: i64,
) -> Result<Vec<Fork>, StoreError> {
    let params = product_params(tenant, product, limit);
    let read = |row: &Row| {
        Ok(Fork {
            stream: row.id("stream_id", StreamId::from_bytes)?,
            license: row.id("license_id", LicenseId::from_bytes)?,
            epoch: row.int("epoch")?,
            seq: row.int("seq")?,
            hash: row.blob("hash")?,
            received_at: row.at("received_at")?,
        })
    };
    tx.query(FORKS_OF_PRODUCT, &params)?
        .iter()
        .map(read)
        .collect()
}

/// The bytes of one fork.
pub fn fork_document(
    tx: &mut dyn Tx,
    tenant: TenantId,
    stream: StreamId,
    hash: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("stream", stream.as_bytes().into()),
        ("hash", hash.into()),
    ];
    let row = tx.query_one(FORK_DOCUMENT, &params)?;
    row.map(|row| row.blob("document")).transpose()
}

/// The forks of a stream: at most as many as are kept of one.
pub fn forks_of_stream(
    tx: &mut dyn Tx,
    tenant: TenantId,
    stream: StreamId,
) -> Result<Vec<(Vec<u8>, Timestamp)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("stream", stream.as_bytes().into()),
    ];
    let read = |row: &Row| Ok((row.blob("document")?, row.at("received_at")?));
    tx.query(FORKS_OF_STREAM, &params)?
        .iter()
        .map(read)
        .collect()
}

/// Streams that were last moved before an instant.
pub fn quiet_streams(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (product, before): (ProductId, Timestamp),
    limit: i64,
) -> Result<Vec<Quiet>, StoreError> {
    let mut params = product_params(tenant, product, limit);
    params.push(("before", before.into()));
    let read = |row: &Row| {
        Ok(Quiet {
            stream: row.id("stream_id", StreamId::from_bytes)?,
            license: row.id("license_id", LicenseId::from_bytes)?,
            epoch: row.int("epoch")?,
            seq: row.int("seq")?,
            last_at: row.at("updated_at")?,
        })
    };
    tx.query(QUIET_STREAMS, &params)?.iter().map(read).collect()
}

/// A stream as it is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHead {
    /// Which.
    pub stream: StreamId,
    /// The device's activation.
    pub activation: ActivationId,
    /// The device's public key.
    pub device_key: Vec<u8>,
}

/// The streams of a license behind `after`, by id.
pub fn streams_of_license(
    tx: &mut dyn Tx,
    of: Owned,
    after: StreamId,
    limit: i64,
) -> Result<Vec<StreamHead>, StoreError> {
    let mut params = owned(of).to_vec();
    params.extend([("after", after.as_bytes().into()), ("limit", limit.into())]);
    let read = |row: &Row| {
        Ok(StreamHead {
            stream: row.id("stream_id", StreamId::from_bytes)?,
            activation: row.id("activation_id", ActivationId::from_bytes)?,
            device_key: row.blob("device_key")?,
        })
    };
    tx.query(STREAMS_OF_LICENSE, &params)?
        .iter()
        .map(read)
        .collect()
}

/// Whose a stream is, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownStream {
    /// The license.
    pub license: LicenseId,
    /// Its product.
    pub product: ProductId,
    /// The open epoch.
    pub epoch: i64,
    /// The last accepted number.
    pub seq: i64,
}

/// Looks a stream up.
pub fn known_stream(
    tx: &mut dyn Tx,
    tenant: TenantId,
    stream: StreamId,
) -> Result<Option<KnownStream>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("stream", stream.as_bytes().into()),
    ];
    let read = |row: Row| {
        Ok(KnownStream {
            license: row.id("license_id", LicenseId::from_bytes)?,
            product: row.id("product_id", ProductId::from_bytes)?,
            epoch: row.int("epoch")?,
            seq: row.int("seq")?,
        })
    };
    tx.query_one(OWNER_OF_STREAM, &params)?
        .map(read)
        .transpose()
}

/// One accepted segment with the receipt of its acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its epoch and number.
    pub place: (i64, i64),
    /// As it came.
    pub document: Vec<u8>,
    /// As it was answered.
    pub receipt: Option<Vec<u8>>,
}

/// A stream's segments behind a place.
pub fn segments(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (stream, after): (StreamId, (i64, i64)),
    limit: i64,
) -> Result<Vec<Kept>, StoreError> {
    let mut params = epoch_params(tenant, (stream, after.0));
    params.extend([("seq", after.1.into()), ("limit", limit.into())]);
    let read = |row: &Row| {
        Ok(Kept {
            place: (row.int("epoch")?, row.int("seq")?),
            document: row.blob("document")?,
            receipt: row.opt_blob("receipt")?,
        })
    };
    tx.query(SEGMENTS, &params)?.iter().map(read).collect()
}

/// One segment.
pub fn segment(
    tx: &mut dyn Tx,
    tenant: TenantId,
    stream: StreamId,
    (epoch, seq): (i64, i64),
) -> Result<Option<Kept>, StoreError> {
    let mut params = epoch_params(tenant, (stream, epoch));
    params.push(("seq", seq.into()));
    let read = |row: Row| {
        Ok(Kept {
            place: (epoch, seq),
            document: row.blob("document")?,
            receipt: row.opt_blob("receipt")?,
        })
    };
    tx.query_one(SEGMENT_RECEIPT, &params)?
        .map(read)
        .transpose()
}

/// The server's epoch: 1 plus how often it was restored.
pub fn server_epoch(tx: &mut dyn Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let params = [("tenant", tenant.as_bytes().into())];
    let row = tx.query_one(SERVER_EPOCH, &params)?;
    Ok(row.map_or(Ok(0), |row| row.int("last"))?.max(1))
}

/// Begins a new epoch of the server.
pub fn insert_restore(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (epoch, who): (i64, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("epoch", epoch.into()),
        ("who", who.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_RESTORE, &params).map(|_| ())
}
