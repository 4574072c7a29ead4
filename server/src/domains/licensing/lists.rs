//! Revocation lists: a place for each license, and the lists as devices fetch them.
//!
//! A place is drawn at random, so that a list doesn't tell how many customers there are. No
//! counter says how full a list is, since every sale would wait for it: a list counts as full when
//! 24 places in a row were taken, which happens at around three quarters.

use super::custody;
use super::model::LicensingError;
use super::sql::lists::{self as sql, ListName, StoredList};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{ProductId, TenantId};
use mintreu::license::{ListEntry, Revocations};

/// Places of a new list: 8 KiB of bits, a few bytes for each that is set once compressed.
const PLACES: u32 = 1 << 16;
/// A new list is begun when so many places drawn from the newest were taken.
const DRAWS: u32 = 24;
/// A list is signed again when its document is older, so that its date proves that nothing changed.
const FRESH_MS: i64 = 60 * 60 * 1000;

/// A free place in the product's newest list. The license that takes it is inserted in the same
/// commit; should another have been faster, the commit runs again.
pub(super) fn draw(cx: &mut Cx<'_>, product: ProductId) -> Result<ListEntry, StoreError> {
    let tenant = cx.caller.tenant;
    let newest = sql::newest(cx.tx, tenant, product)?;
    let of = |list| ListName {
        tenant,
        product,
        list,
    };
    if let Some((list, places)) = newest {
        for _ in 0..DRAWS {
            let index = random_below(cx, places);
            if !sql::is_taken(cx.tx, of(list), index)? {
                return entry(list, index);
            }
        }
    }
    let list = newest.map_or(0, |(list, _)| list) + 1;
    sql::insert(cx.tx, of(list), PLACES)?;
    entry(list, random_below(cx, PLACES))
}

/// Even for numbers of places that are powers of two, as ours are.
fn random_below(cx: &mut Cx<'_>, places: u32) -> u32 {
    u32::from_be_bytes(cx.random()) % places
}

fn entry(list: i64, index: u32) -> Result<ListEntry, StoreError> {
    let list = u64::try_from(list).map_err(|_| StoreError::shape(format!("list {list}")))?;
    Ok(ListEntry { list, index })
}

/// Sets or clears a license's bit, and raises the version of its list.
pub(super) fn mark(
    cx: &mut Cx<'_>,
    product: ProductId,
    place: ListEntry,
    revoked: bool,
) -> Result<(), StoreError> {
    let name = name(cx.caller.tenant, product, place.list)?;
    let stored = sql::find(cx.tx, name)?;
    let stored = stored.ok_or_else(|| StoreError::shape(format!("no list {}", place.list)))?;
    let mut bits = stored.bits;
    let byte = bits.get_mut(place.index as usize / 8);
    let byte = byte.ok_or_else(|| StoreError::shape(format!("no place {}", place.index)))?;
    let bit = 1 << (place.index % 8);
    match revoked {
        true => *byte |= bit,
        false => *byte &= !bit,
    }
    sql::set_bits(cx.tx, name, bits)
}

fn name(tenant: TenantId, product: ProductId, list: u64) -> Result<ListName, StoreError> {
    let list = i64::try_from(list).map_err(|_| StoreError::shape(format!("list {list}")))?;
    Ok(ListName {
        tenant,
        product,
        list,
    })
}

/// Asks for a revocation list, by what the asker holds.
#[derive(Debug, Clone)]
pub struct AskList {
    /// The product's code.
    pub product: String,
    /// The number that licenses name.
    pub list: u64,
    /// The version held; 0 for none.
    pub have: u64,
    /// The instant of issue of what is held, in seconds.
    pub since: i64,
}

/// What there is for who asks for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// The newest document, with what tells it apart from others.
    Newest {
        /// Its version.
        version: u64,
        /// When it was signed.
        signed_at: Timestamp,
        /// Its bundle.
        document: Vec<u8>,
    },
    /// What is held already.
    Held,
    /// The document is too old or says too little: [`sign_list`] makes a new one.
    Stale,
}

impl Command for AskList {
    const NAME: &'static str = "licensing.sign_list";
    const CAPABILITY: Capability = Capability::Browse;
    const AUDITED: bool = false;

    fn contention_keys(&self) -> Vec<String> {
        vec![format!("revocations {} {}", self.product, self.list)]
    }
}

/// The list's document, if it is fresh enough to hand out.
pub fn find_list(cx: &mut ReadCx<'_>, ask: &AskList) -> Result<Listed, LicensingError> {
    let (_, _, stored) = stored(cx.tx, cx.caller.tenant, ask)?;
    Ok(answer(ask, &stored, cx.now))
}

/// As [`find_list`], and signs the list if it must.
pub fn sign_list(cx: &mut Cx<'_>, ask: &AskList) -> Result<Listed, LicensingError> {
    let (product, name, mut stored) = stored(cx.tx, cx.caller.tenant, ask)?;
    let answered = answer(ask, &stored, cx.now);
    if answered != Listed::Stale {
        return Ok(answered);
    }
    let key = custody::product_key(cx, product.seller.account, &product.code)?;
    // A clock that was set back must not make the list look older than one already handed out.
    let now = cx.now.max(stored.signed_at.unwrap_or_default());
    let list = list(&product.code, ask.list, &stored).map_err(LicensingError::Signing)?;
    let document = list
        .at(stored.version, now)
        .issue(&key.key, &key.certificates())
        .map_err(LicensingError::Signing)?;
    sql::keep_document(cx.tx, name, &document, now)?;
    stored.document = Some(document);
    stored.signed_at = Some(now);
    Ok(answer(ask, &stored, cx.now))
}

fn stored(
    tx: &mut dyn Tx,
    tenant: TenantId,
    ask: &AskList,
) -> Result<(catalog::Product, ListName, StoredList), LicensingError> {
    let product = catalog::product_by_code(tx, tenant, &ask.product)?;
    let product = product.ok_or(LicensingError::NotFound)?;
    let name = name(tenant, product.id, ask.list).map_err(|_| LicensingError::NotFound)?;
    let stored = sql::find(tx, name)?.ok_or(LicensingError::NotFound)?;
    Ok((product, name, stored))
}

fn answer(ask: &AskList, stored: &StoredList, now: Timestamp) -> Listed {
    let (Some(document), Some(signed_at)) = (&stored.document, stored.signed_at) else {
        return Listed::Stale;
    };
    if now.ms().saturating_sub(signed_at.ms()) >= FRESH_MS {
        return Listed::Stale;
    }
    if ask.have >= stored.version && ask.since >= signed_at.secs() {
        return Listed::Held;
    }
    Listed::Newest {
        version: stored.version,
        signed_at,
        document: document.clone(),
    }
}

fn list(product: &str, number: u64, stored: &StoredList) -> Result<Revocations, mintreu::Error> {
    let mut list = Revocations::new(product, number, stored.places)?;
    for (byte, bits) in (0_u32..).zip(&stored.bits) {
        for bit in (0..8).filter(|bit| bits >> bit & 1 == 1) {
            list.revoke(byte * 8 + bit)?;
        }
    }
    Ok(list)
}
