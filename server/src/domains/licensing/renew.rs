//! Licenses that are paid for again and again: signed anew with a later end, suspended while they
//! aren't paid for, restored when they are.

use super::model::{Grant, License, LicensingError};
use super::ops::{Revoke, changed};
use super::{custody, documents, sql};
use crate::app::Cx;
use crate::domains::catalog::model::LicenseTerms;
use mintreu::Timestamp;
use mintreu::id::LicenseId;

/// What a license is renewed to.
#[derive(Debug, Clone, Copy)]
pub struct Renewal {
    /// Which license.
    pub license: LicenseId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Seconds after the end during which it still works, with a warning.
    pub grace_secs: u32,
    /// Seats of the whole license; never fewer than the highest seat that a device holds.
    pub seats: i64,
}

/// What a license becomes under the same id: its devices and what was counted stay.
#[derive(Debug, Clone)]
pub struct Revision {
    /// Which license.
    pub license: LicenseId,
    /// What it grants from now on.
    pub terms: LicenseTerms,
    /// Seats of the whole license; never fewer than the highest seat that a device holds.
    pub seats: i64,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Seconds after the end during which it still works, with a warning.
    pub grace_secs: u32,
}

/// Why a license is suspended; only these are taken back by [`restore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspended {
    /// Its buyer pauses.
    Paused,
    /// A renewal wasn't paid, and its grace is over.
    Unpaid,
    /// What it was paid by is over.
    Ended,
    /// A bank has money that it was paid by, and hasn't decided.
    Disputed,
}

impl Suspended {
    const ALL: [Self; 4] = [Self::Paused, Self::Unpaid, Self::Ended, Self::Disputed];

    /// As stored, and shown to the customer.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Paused => "the subscription is paused",
            Self::Unpaid => "the subscription is not paid",
            Self::Ended => "the subscription has ended",
            Self::Disputed => "a payment of the subscription is disputed",
        }
    }
}

/// Signs the license again with a new end and number of seats, under the same id. It answers the
/// seats that it has now.
pub fn renew(cx: &mut Cx<'_>, renewal: &Renewal) -> Result<i64, LicensingError> {
    let license = License {
        seats: renewal.seats,
        expires_at: Some(renewal.expires_at),
        ..known(cx, renewal.license)?
    };
    sign_again(cx, license, renewal.grace_secs, "license.renewed")
}

/// Signs the license again with what it grants now, under the same id. It answers the seats that it
/// has.
pub fn revise(cx: &mut Cx<'_>, revision: Revision) -> Result<i64, LicensingError> {
    let license = License {
        terms: revision.terms,
        seats: revision.seats,
        expires_at: revision.expires_at,
        ..known(cx, revision.license)?
    };
    sign_again(cx, license, revision.grace_secs, "license.revised")
}

fn sign_again(
    cx: &mut Cx<'_>,
    mut license: License,
    grace_secs: u32,
    fact: &'static str,
) -> Result<i64, LicensingError> {
    let tenant = cx.caller.tenant;
    let taken = sql::renew::highest_seat(cx.tx, tenant, license.id)?;
    license.seats = license.seats.max(taken).max(1);
    let place = match sql::renew::place(cx.tx, tenant, license.id)? {
        Some(place) => place,
        None => super::lists::draw(cx, license.product)?,
    };
    let key = custody::product_key(cx, license.seller, &license.product_code)?;
    let grant = grant(&license, grace_secs);
    let issued = (license.issued_at, cx.now);
    license.document = documents::license(&grant, license.id, place, issued, &key)?;
    sql::renew::renew(cx.tx, tenant, (&license, key.id), cx.now)?;
    let logged = (license.product_code.as_str(), license.id, cx.now);
    documents::log(cx, license.seller, logged, &license.document)?;
    crate::events::record(cx, fact, &license.id.to_string(), &())?;
    Ok(license.seats)
}

fn grant(license: &License, grace_secs: u32) -> Grant {
    Grant {
        source: license.source.clone(),
        product: license.product,
        product_code: license.product_code.clone(),
        seller: license.seller,
        owner: license.owner,
        terms: license.terms.clone(),
        seats: license.seats,
        expires_at: license.expires_at,
        grace_secs,
    }
}

fn known(cx: &mut Cx<'_>, license: LicenseId) -> Result<License, LicensingError> {
    let found = sql::license_by_id(cx.tx, cx.caller.tenant, license)?;
    found.ok_or(LicensingError::NotFound)
}

/// Suspends a license for the house: it activates nothing, and the next revocation list says so.
/// One that is withdrawn already stays as it is.
pub fn suspend(cx: &mut Cx<'_>, license: LicenseId, why: Suspended) -> Result<(), LicensingError> {
    let seller = known(cx, license)?.seller;
    let revoke = Revoke {
        license,
        reason: why.reason().to_owned(),
    };
    match sql::revoke(cx.tx, cx.caller.tenant, &revoke, seller, cx.now)? {
        Some(place) => changed(cx, license, place, true),
        None => Ok(()),
    }
}

/// Takes a suspension back; what its seller withdrew stays withdrawn.
pub fn restore(cx: &mut Cx<'_>, license: LicenseId) -> Result<(), LicensingError> {
    let known = known(cx, license)?;
    let reason = known.revoke_reason.as_deref();
    let ours = Suspended::ALL
        .iter()
        .any(|why| reason == Some(why.reason()));
    if !ours {
        return Ok(());
    }
    match sql::reinstate(cx.tx, cx.caller.tenant, license, known.seller)? {
        Some(place) => changed(cx, license, place, false),
        None => Ok(()),
    }
}
