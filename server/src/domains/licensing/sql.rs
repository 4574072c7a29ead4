//! SQL of licensing's tables.

pub mod hosts;
pub mod keys;
pub mod lists;
pub mod renew;
pub mod sealed;
pub mod unpaid;

use super::model::{Activation, License};
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, ActivationId, KeyId, LicenseId, ProductId, TenantId};
use mintreu::license::ListEntry;

const INSERT_LICENSE: &str = "\
INSERT INTO license (tenant_id, license_id, source, product_id, product_code, seller_id, owner_id,
    seats, terms, document, redeem_mac, redeem_sealed, issued_at, expires_at, redeemed_at,
    revoked_at, revoke_reason, list, list_index, key_id)
VALUES (:tenant, :license, :source, :product, :code, :seller, :owner, :seats, :terms, :document,
    :mac, :sealed, :now, :expires, NULL, NULL, NULL, :list, :index, :key)
ON CONFLICT DO NOTHING
RETURNING license_id";

const LICENSE_BY_ID: &str = "\
SELECT license_id, source, product_id, product_code, seller_id, owner_id, seats, terms, document,
    issued_at, expires_at, revoked_at, revoke_reason
FROM license WHERE tenant_id = :tenant AND license_id = :license";

const LICENSE_BY_SOURCE: &str = "\
SELECT license_id, source, product_id, product_code, seller_id, owner_id, seats, terms, document,
    issued_at, expires_at, revoked_at, revoke_reason
FROM license WHERE tenant_id = :tenant AND source = :source";

const LICENSE_BY_CODE: &str = "\
SELECT license_id, source, product_id, product_code, seller_id, owner_id, seats, terms, document,
    issued_at, expires_at, revoked_at, revoke_reason
FROM license WHERE tenant_id = :tenant AND redeem_mac = :mac";

const LICENSES_OF_OWNER: &str = "\
SELECT license_id, source, product_id, product_code, seller_id, owner_id, seats, terms, document,
    issued_at, expires_at, revoked_at, revoke_reason
FROM license
WHERE tenant_id = :tenant AND owner_id = :owner AND license_id < :before
ORDER BY license_id DESC LIMIT :limit";

const LICENSES_OF_SELLER: &str = "\
SELECT license_id, source, product_id, product_code, seller_id, owner_id, seats, terms, document,
    issued_at, expires_at, revoked_at, revoke_reason
FROM license
WHERE tenant_id = :tenant AND seller_id = :owner AND license_id < :before
ORDER BY license_id DESC LIMIT :limit";

const SEALED_CODE: &str = "\
SELECT redeem_sealed FROM license WHERE tenant_id = :tenant AND license_id = :license";

const MARK_REDEEMED: &str = "\
UPDATE license SET redeemed_at = COALESCE(redeemed_at, :now),
    owner_id = COALESCE(owner_id, :owner)
WHERE tenant_id = :tenant AND license_id = :license";

const REVOKE: &str = "\
UPDATE license SET revoked_at = :now, revoke_reason = :reason
WHERE tenant_id = :tenant AND license_id = :license AND seller_id = :seller
    AND revoked_at IS NULL
RETURNING product_id, list, list_index";

const REINSTATE: &str = "\
UPDATE license SET revoked_at = NULL, revoke_reason = NULL, revoked_for = NULL
WHERE tenant_id = :tenant AND license_id = :license AND seller_id = :seller
    AND revoked_at IS NOT NULL
RETURNING product_id, list, list_index";

const ACTIVATIONS: &str = "\
SELECT activation_id, license_id, device_key, seat, seat_ends_at, document, activated_at,
    last_seen_at, deactivated_at, request_hash
FROM activation WHERE tenant_id = :tenant AND license_id = :license
ORDER BY activation_id DESC LIMIT 1000";

const LIVE_OF_DEVICE: &str = "\
SELECT activation_id, license_id, device_key, seat, seat_ends_at, document, activated_at,
    last_seen_at, deactivated_at, request_hash
FROM activation
WHERE tenant_id = :tenant AND license_id = :license AND device_key = :device AND live = :live";

const ACTIVATION_BY_ID: &str = "\
SELECT activation_id, license_id, device_key, seat, seat_ends_at, document, activated_at,
    last_seen_at, deactivated_at, request_hash
FROM activation WHERE tenant_id = :tenant AND activation_id = :activation";

const ACTIVATIONS_OF_DEVICE: &str = "\
SELECT activation_id, license_id, device_key, seat, seat_ends_at, document, activated_at,
    last_seen_at, deactivated_at, request_hash
FROM activation WHERE tenant_id = :tenant AND device_key = :device
ORDER BY activation_id DESC LIMIT 100";

const TAKEN_SEATS: &str = "\
SELECT seat FROM activation
WHERE tenant_id = :tenant AND license_id = :license AND seat IS NOT NULL ORDER BY seat";

const INSERT_ACTIVATION: &str = "\
INSERT INTO activation (tenant_id, activation_id, license_id, device_key, seat, live, seat_ends_at,
    request_hash, document, activated_at, last_seen_at, deactivated_at, key_id)
VALUES (:tenant, :activation, :license, :device, :seat, :live, :ends, :request, :document, :now,
    :now, NULL, :key)
ON CONFLICT (tenant_id, license_id, seat) DO NOTHING
RETURNING activation_id";

const REISSUE_ACTIVATION: &str = "\
UPDATE activation SET document = :document, request_hash = :request, last_seen_at = :now,
    seat_ends_at = :ends, key_id = :key
WHERE tenant_id = :tenant AND activation_id = :activation";

const SEEN: &str = "\
UPDATE activation SET last_seen_at = :now
WHERE tenant_id = :tenant AND activation_id = :activation AND last_seen_at < :now";

const GIVE_UP_SEAT: &str = "\
UPDATE activation SET seat = NULL, live = NULL, deactivated_at = :now
WHERE tenant_id = :tenant AND activation_id = :activation AND seat IS NOT NULL";

const KEEP_SEAT: &str = "\
UPDATE activation SET seat_ends_at = :ends, last_seen_at = :now
WHERE tenant_id = :tenant AND activation_id = :activation AND seat IS NOT NULL";

const END_SEATS: &str = "\
UPDATE activation SET seat = NULL, live = NULL, deactivated_at = seat_ends_at
WHERE tenant_id = :tenant AND license_id = :license AND seat_ends_at <= :now
    AND seat IS NOT NULL";

const RECENT_MOVES: &str = "\
SELECT COUNT(*) AS moves FROM activation
WHERE tenant_id = :tenant AND license_id = :license AND deactivated_at > :since";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_LICENSE,
    LICENSE_BY_ID,
    LICENSE_BY_SOURCE,
    LICENSE_BY_CODE,
    LICENSES_OF_OWNER,
    LICENSES_OF_SELLER,
    SEALED_CODE,
    MARK_REDEEMED,
    REVOKE,
    REINSTATE,
    ACTIVATIONS,
    LIVE_OF_DEVICE,
    ACTIVATION_BY_ID,
    ACTIVATIONS_OF_DEVICE,
    TAKEN_SEATS,
    INSERT_ACTIVATION,
    REISSUE_ACTIVATION,
    SEEN,
    GIVE_UP_SEAT,
    RECENT_MOVES,
];

fn won(row: Option<Row>) -> Result<(), StoreError> {
    row.map(drop).ok_or(StoreError::Retry)
}

/// A license's code as it is stored.
pub(super) struct StoredCode {
    pub mac: [u8; 32],
    pub sealed: Vec<u8>,
}

/// Where a new license stands: its place in a list, and the key that signed it.
pub(super) struct Signed {
    pub place: ListEntry,
    pub key: KeyId,
}

pub(super) fn insert_license(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &License,
    code: &StoredCode,
    signed: &Signed,
) -> Result<(), StoreError> {
    let list = i64::try_from(signed.place.list)
        .map_err(|_| StoreError::shape(format!("list {}", signed.place.list)))?;
    let terms =
        serde_json::to_string(&new.terms).map_err(|error| StoreError::shape(error.to_string()))?;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", new.id.as_bytes().into()),
        ("source", new.source.as_str().into()),
        ("product", new.product.as_bytes().into()),
        ("code", new.product_code.as_str().into()),
        ("seller", new.seller.as_bytes().into()),
        ("owner", new.owner.as_ref().map(AccountId::as_bytes).into()),
        ("seats", new.seats.into()),
        ("terms", terms.into()),
        ("document", new.document.as_slice().into()),
        ("mac", code.mac.as_slice().into()),
        ("sealed", code.sealed.as_slice().into()),
        ("now", new.issued_at.into()),
        ("expires", new.expires_at.into()),
        ("list", list.into()),
        ("index", i64::from(signed.place.index).into()),
        ("key", signed.key.as_bytes().into()),
    ];
    won(tx.query_one(INSERT_LICENSE, &params)?)
}

fn license(row: &Row) -> Result<License, StoreError> {
    let terms = serde_json::from_str(&row.text("terms")?)
        .map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(License {
        id: row.id("license_id", LicenseId::from_bytes)?,
        source: row.text("source")?,
        product: row.id("product_id", ProductId::from_bytes)?,
        product_code: row.text("product_code")?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        owner: row.opt_id("owner_id", AccountId::from_bytes)?,
        seats: row.int("seats")?,
        terms,
        document: row.blob("document")?,
        issued_at: row.at("issued_at")?,
        expires_at: row.opt_at("expires_at")?,
        revoked_at: row.opt_at("revoked_at")?,
        revoke_reason: row.opt_text("revoke_reason")?,
    })
}

pub(in crate::domains::licensing) fn license_by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: LicenseId,
) -> Result<Option<License>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", id.as_bytes().into()),
    ];
    let row = tx.query_one(LICENSE_BY_ID, &params)?;
    row.as_ref().map(license).transpose()
}

pub(super) fn license_by_source(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
) -> Result<Option<License>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("source", source.into()),
    ];
    let row = tx.query_one(LICENSE_BY_SOURCE, &params)?;
    row.as_ref().map(license).transpose()
}

pub(super) fn license_by_code(
    tx: &mut dyn Tx,
    tenant: TenantId,
    mac: &[u8; 32],
) -> Result<Option<License>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("mac", mac.as_slice().into()),
    ];
    let row = tx.query_one(LICENSE_BY_CODE, &params)?;
    row.as_ref().map(license).transpose()
}

/// One page of a person's licenses, newest first.
pub(super) struct Page {
    pub tenant: TenantId,
    pub person: AccountId,
    pub as_seller: bool,
    pub before: [u8; 16],
    pub limit: i64,
}

pub(super) fn licenses(tx: &mut dyn Tx, page: &Page) -> Result<Vec<License>, StoreError> {
    let params = [
        ("tenant", page.tenant.as_bytes().into()),
        ("owner", page.person.as_bytes().into()),
        ("before", (&page.before).into()),
        ("limit", page.limit.into()),
    ];
    let sql = if page.as_seller {
        LICENSES_OF_SELLER
    } else {
        LICENSES_OF_OWNER
    };
    tx.query(sql, &params)?.iter().map(license).collect()
}

pub(super) fn sealed_code(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: LicenseId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", id.as_bytes().into()),
    ];
    let row = tx.query_one(SEALED_CODE, &params)?;
    row.map(|row| row.blob("redeem_sealed")).transpose()
}

/// Notes the first redeeming and, if it has none yet, the owner.
pub(super) fn mark_redeemed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: LicenseId,
    owner: Option<AccountId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", id.as_bytes().into()),
        ("owner", owner.as_ref().map(AccountId::as_bytes).into()),
        ("now", now.into()),
    ];
    tx.execute(MARK_REDEEMED, &params).map(drop)
}

/// The product and the place of a license that changed.
pub(super) type Place = (ProductId, Option<ListEntry>);

/// Withdraws a license of this seller; `None` when there is none to withdraw.
pub(super) fn revoke(
    tx: &mut dyn Tx,
    tenant: TenantId,
    cmd: &super::ops::Revoke,
    seller: AccountId,
    now: Timestamp,
) -> Result<Option<Place>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", cmd.license.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("reason", cmd.reason.as_str().into()),
        ("now", now.into()),
    ];
    let row = tx.query_one(REVOKE, &params)?;
    row.as_ref().map(lists::place).transpose()
}

/// Takes a withdrawal back; `None` when there is none to take back.
pub(super) fn reinstate(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    seller: AccountId,
) -> Result<Option<Place>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let row = tx.query_one(REINSTATE, &params)?;
    row.as_ref().map(lists::place).transpose()
}

/// An activation with the request that asked for it.
pub(super) struct StoredActivation {
    pub activation: Activation,
    pub request_hash: Vec<u8>,
}

fn activation(row: &Row) -> Result<StoredActivation, StoreError> {
    let device_key = <[u8; 32]>::try_from(row.blob("device_key")?.as_slice())
        .map_err(|_| StoreError::shape("device_key is no key".to_owned()))?;
    let activation = Activation {
        id: row.id("activation_id", ActivationId::from_bytes)?,
        license: row.id("license_id", LicenseId::from_bytes)?,
        device_key,
        seat: row.opt_int("seat")?,
        seat_ends_at: row.opt_at("seat_ends_at")?,
        document: row.blob("document")?,
        activated_at: row.at("activated_at")?,
        last_seen_at: row.at("last_seen_at")?,
        deactivated_at: row.opt_at("deactivated_at")?,
    };
    Ok(StoredActivation {
        activation,
        request_hash: row.blob("request_hash")?,
    })
}

pub(super) fn activations(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Vec<Activation>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let rows = tx.query(ACTIVATIONS, &params)?;
    rows.iter()
        .map(|row| activation(row).map(|stored| stored.activation))
        .collect()
}

pub(super) fn activations_of_device(
    tx: &mut dyn Tx,
    tenant: TenantId,
    device: &[u8; 32],
) -> Result<Vec<Activation>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("device", device.as_slice().into()),
    ];
    let rows = tx.query(ACTIVATIONS_OF_DEVICE, &params)?;
    rows.iter()
        .map(|row| activation(row).map(|stored| stored.activation))
        .collect()
}

pub(super) fn live_of_device(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    device: &[u8; 32],
) -> Result<Option<StoredActivation>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("device", device.as_slice().into()),
        ("live", 1.into()),
    ];
    let row = tx.query_one(LIVE_OF_DEVICE, &params)?;
    row.as_ref().map(activation).transpose()
}

pub(super) fn activation_by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ActivationId,
) -> Result<Option<Activation>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("activation", id.as_bytes().into()),
    ];
    let row = tx.query_one(ACTIVATION_BY_ID, &params)?;
    row.map(|row| activation(&row).map(|stored| stored.activation))
        .transpose()
}

/// The lowest seat of `seats` that nobody holds.
pub(super) fn free_seat(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    seats: i64,
) -> Result<Option<i64>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let mut free = 1;
    for row in tx.query(TAKEN_SEATS, &params)? {
        if row.int("seat")? == free {
            free += 1;
        }
    }
    Ok((free <= seats).then_some(free))
}

/// Writes a live activation; a race for the seat that was lost is run again.
pub(super) fn insert_activation(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &StoredActivation,
    key: KeyId,
) -> Result<(), StoreError> {
    let one = &new.activation;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("activation", one.id.as_bytes().into()),
        ("license", one.license.as_bytes().into()),
        ("device", one.device_key.as_slice().into()),
        ("seat", one.seat.into()),
        ("live", 1.into()),
        ("ends", one.seat_ends_at.into()),
        ("request", new.request_hash.as_slice().into()),
        ("document", one.document.as_slice().into()),
        ("now", one.activated_at.into()),
        ("key", key.as_bytes().into()),
    ];
    won(tx.query_one(INSERT_ACTIVATION, &params)?)
}

/// Replaces the document of a live activation by one that answers another request.
pub(super) fn reissue_activation(
    tx: &mut dyn Tx,
    tenant: TenantId,
    changed: &StoredActivation,
    key: KeyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("activation", changed.activation.id.as_bytes().into()),
        ("request", changed.request_hash.as_slice().into()),
        ("ends", changed.activation.seat_ends_at.into()),
        ("document", changed.activation.document.as_slice().into()),
        ("key", key.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(REISSUE_ACTIVATION, &params).map(drop)
}

pub(super) fn seen(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ActivationId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("activation", id.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(SEEN, &params).map(drop)
}

/// Whether the activation held a seat.
pub(super) fn give_up_seat(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ActivationId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("activation", id.as_bytes().into()),
        ("now", now.into()),
    ];
    Ok(tx.execute(GIVE_UP_SEAT, &params)? == 1)
}

/// Keeps a live seat until `end`.
pub(super) fn keep_seat(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ActivationId,
    end: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("activation", id.as_bytes().into()),
        ("ends", end.into()),
        ("now", now.into()),
    ];
    tx.execute(KEEP_SEAT, &params).map(drop)
}

/// Frees the seats of a license that were lent until now or before.
pub(super) fn end_seats(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(END_SEATS, &params).map(drop)
}

/// How many seats of the license are taken.
pub(super) fn seats_taken(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<usize, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    Ok(tx.query(TAKEN_SEATS, &params)?.len())
}

/// How many seats of the license were given up since then.
pub(super) fn moves_since(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    since: Timestamp,
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("since", since.into()),
    ];
    let row = tx.query_one(RECENT_MOVES, &params)?;
    row.map_or(Ok(0), |row| row.int("moves"))
}
