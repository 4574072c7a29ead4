//! Statements that move streams and keep their segments.

use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{ActivationId, LicenseId, ProductId, StreamId, TenantId};
use mintreu::meter::{ChainHash, Position, Segment, TimeQuality};

const STREAM: &str = "SELECT epoch, seq, head, receipt FROM usage_stream
    WHERE tenant_id = :tenant AND stream_id = :stream";

const INSERT_STREAM: &str = "INSERT INTO usage_stream (stream_id, tenant_id, license_id,
        product_id, activation_id, device_key, epoch, seq, head, receipt, created_at, updated_at)
    VALUES (:stream, :tenant, :license, :product, :activation, :device, :epoch, :seq, :head,
        :receipt, :now, :now)";

const MOVE_STREAM: &str = "UPDATE usage_stream
    SET epoch = :epoch, seq = :seq, head = :head, receipt = :receipt, updated_at = :now
    WHERE tenant_id = :tenant AND stream_id = :stream";

const SEGMENT_HASH: &str = "SELECT hash FROM usage_segment WHERE tenant_id = :tenant
    AND stream_id = :stream AND epoch = :epoch AND seq = :seq";

const INSERT_SEGMENT: &str = "INSERT INTO usage_segment (tenant_id, stream_id, epoch, seq, hash,
        document, sealed_at, time_quality, received_at, receipt)
    VALUES (:tenant, :stream, :epoch, :seq, :hash, :document, :sealed, :quality, :now, :receipt)";

const COUNT_FORKS: &str = "SELECT COUNT(*) AS forks FROM usage_fork
    WHERE tenant_id = :tenant AND stream_id = :stream";

const INSERT_FORK: &str = "INSERT INTO usage_fork (tenant_id, stream_id, hash, epoch, seq,
        document, received_at)
    VALUES (:tenant, :stream, :hash, :epoch, :seq, :document, :now)
    ON CONFLICT (tenant_id, stream_id, hash) DO NOTHING";

pub(super) const ALL: &[&str] = &[
    STREAM,
    INSERT_STREAM,
    MOVE_STREAM,
    SEGMENT_HASH,
    INSERT_SEGMENT,
    COUNT_FORKS,
    INSERT_FORK,
];

/// How far a stream has come, and the receipt that says so.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its position.
    pub position: Position,
    /// The signed receipt of that position.
    pub receipt: Vec<u8>,
}

/// Whose a stream is: what its row is made of besides its position.
#[derive(Debug, Clone, Copy)]
pub struct StreamOwner {
    /// The tenant.
    pub tenant: TenantId,
    /// The stream.
    pub stream: StreamId,
    /// The license it counts for.
    pub license: LicenseId,
    /// That license's product.
    pub product: ProductId,
    /// The device's activation.
    pub activation: ActivationId,
    /// The device's public key.
    pub device_key: [u8; 32],
}

pub(super) fn positive(row: &Row, name: &str) -> Result<u64, StoreError> {
    let value = u64::try_from(row.int(name)?);
    value.map_err(|_| StoreError::shape(format!("{name} is below zero")))
}

fn hash_of(row: &Row, name: &str) -> Result<ChainHash, StoreError> {
    let bytes = ChainHash::try_from(row.blob(name)?.as_slice());
    bytes.map_err(|_| StoreError::shape(format!("{name} is no hash")))
}

/// Units, epochs and sequence numbers are at most 2^63 − 1, which the engine checks.
pub(super) fn int(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The stream's row.
pub fn stream(
    tx: &mut dyn Tx,
    tenant: TenantId,
    stream: StreamId,
) -> Result<Option<Stream>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("stream", stream.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(STREAM, &params)? else {
        return Ok(None);
    };
    let position = Position {
        epoch: positive(&row, "epoch")?,
        seq: positive(&row, "seq")?,
        head: hash_of(&row, "head")?,
    };
    let receipt = row.blob("receipt")?;
    Ok(Some(Stream { position, receipt }))
}

/// Stores a stream that has no row yet.
pub fn insert_stream(
    tx: &mut dyn Tx,
    owner: &StreamOwner,
    at: &Stream,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("stream", owner.stream.as_bytes().into()),
        ("tenant", owner.tenant.as_bytes().into()),
        ("license", owner.license.as_bytes().into()),
        ("product", owner.product.as_bytes().into()),
        ("activation", owner.activation.as_bytes().into()),
        ("device", owner.device_key.as_slice().into()),
        ("epoch", int(at.position.epoch)),
        ("seq", int(at.position.seq)),
        ("head", at.position.head.as_slice().into()),
        ("receipt", at.receipt.as_slice().into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_STREAM, &params).map(|_| ())
}

/// Moves a stream to its new position.
pub fn move_stream(
    tx: &mut dyn Tx,
    owner: &StreamOwner,
    at: &Stream,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", owner.tenant.as_bytes().into()),
        ("stream", owner.stream.as_bytes().into()),
        ("epoch", int(at.position.epoch)),
        ("seq", int(at.position.seq)),
        ("head", at.position.head.as_slice().into()),
        ("receipt", at.receipt.as_slice().into()),
        ("now", now.into()),
    ];
    tx.execute(MOVE_STREAM, &params).map(|_| ())
}

/// The chain hash of the segment accepted in that place.
pub fn segment_hash(
    tx: &mut dyn Tx,
    tenant: TenantId,
    segment: &Segment,
) -> Result<Option<ChainHash>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("stream", segment.stream.as_bytes().into()),
        ("epoch", int(segment.epoch)),
        ("seq", int(segment.seq)),
    ];
    let row = tx.query_one(SEGMENT_HASH, &params)?;
    row.map(|row| hash_of(&row, "hash")).transpose()
}

/// Keeps an accepted segment as it came, and the receipt it was answered with.
pub fn insert_segment(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (segment, hash, document): (&Segment, ChainHash, &[u8]),
    (receipt, now): (&[u8], Timestamp),
) -> Result<(), StoreError> {
    let quality = match segment.time_quality {
        TimeQuality::Unknown => "unknown",
        TimeQuality::Plausible => "plausible",
        TimeQuality::Suspect => "suspect",
    };
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("stream", segment.stream.as_bytes().into()),
        ("epoch", int(segment.epoch)),
        ("seq", int(segment.seq)),
        ("hash", hash.as_slice().into()),
        ("document", document.into()),
        ("sealed", segment.sealed_at.into()),
        ("quality", quality.into()),
        ("now", now.into()),
        ("receipt", receipt.into()),
    ];
    tx.execute(INSERT_SEGMENT, &params).map(|_| ())
}

/// How many forks of a stream are kept.
pub fn count_forks(tx: &mut dyn Tx, tenant: TenantId, stream: StreamId) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("stream", stream.as_bytes().into()),
    ];
    let row = tx.query_one(COUNT_FORKS, &params)?;
    row.map_or(Ok(0), |row| row.int("forks"))
}

/// Keeps a forked segment as evidence, once.
pub fn insert_fork(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (segment, hash, document): (&Segment, ChainHash, &[u8]),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("stream", segment.stream.as_bytes().into()),
        ("hash", hash.as_slice().into()),
        ("epoch", int(segment.epoch)),
        ("seq", int(segment.seq)),
        ("document", document.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_FORK, &params).map(|_| ())
}
