//! Use cases of seats after they were taken: kept for longer, given back by the device itself, and
//! the time for devices that are in doubt.

use super::activate::{Activated, count_move};
use super::custody::{self, Held};
use super::model::{License, LicensingError};
use super::sql;
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog;
use mintreu::Timestamp;
use mintreu::activation::{Deactivation, Lease, Request, TimeProof, Wanted};
use mintreu::document::PublicKey;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Until when a seat is kept from now on: `None` where it is as long as its license.
///
/// A wish is granted up to what the terms lend for, and never past the license's end.
pub(super) fn seat_end(
    license: &License,
    wish_secs: Option<u32>,
    now: Timestamp,
) -> Option<Timestamp> {
    let floating = license.terms.floating?;
    let shortest = floating.lease_minutes.saturating_mul(MINUTE_MS);
    let longest = floating.borrow_days.saturating_mul(DAY_MS).max(shortest);
    let wish = wish_secs.map_or(shortest, |secs| i64::from(secs).saturating_mul(1000));
    // Documents count in whole seconds.
    let end = Timestamp::from_secs(now.plus_ms(wish.clamp(shortest, longest)).secs());
    Some(license.expires_at.map_or(end, |last| end.min(last)))
}

/// Keeps the live seat that a request renews for longer; `None` when the device has lost it.
pub(super) fn renew(
    cx: &mut Cx<'_>,
    request: &Request,
    device: &PublicKey,
    license: &License,
) -> Result<Option<Activated>, LicensingError> {
    let tenant = cx.caller.tenant;
    let Some(renews) = request.renews else {
        return Ok(None);
    };
    let held = sql::live_of_device(cx.tx, tenant, license.id, device.as_bytes())?;
    let Some(held) = held.filter(|held| held.activation.id == renews) else {
        return Ok(None);
    };
    // An activation that hangs on a revoked key is signed again, as if it had been lost.
    if sql::keys::activation_hangs_on_revoked(cx.tx, tenant, renews)? {
        return Ok(None);
    }
    let Some(end) = seat_end(license, request.lend_secs, cx.now) else {
        return Ok(None);
    };
    // A heartbeat doesn't shorten what was borrowed.
    let end = held
        .activation
        .seat_ends_at
        .map_or(end, |known| known.max(end));
    sql::keep_seat(cx.tx, tenant, renews, end, cx.now)?;
    let issued_at = Timestamp::from_secs(cx.now.secs());
    let seconds = end.since_ms(issued_at).div_euclid(1000);
    let lease = Lease {
        issued_at,
        activation: renews,
        seconds: u32::try_from(seconds.max(0)).unwrap_or(u32::MAX),
    };
    let key = custody::product_key(cx, license.seller, &license.product_code)?;
    let document = lease.issue(&key.key, &key.certificates());
    Ok(Some(Activated {
        license: license.id,
        activation: renews,
        document: document.map_err(LicensingError::Signing)?,
        new: false,
    }))
}

/// A device's signed word that it has given its seat back.
#[derive(Debug)]
pub struct GiveBack {
    said: Deactivation,
    device: PublicKey,
}

impl GiveBack {
    /// Reads its bytes and checks that whoever made it holds the device's key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LicensingError> {
        let verified = Deactivation::verify(bytes).map_err(LicensingError::RequestMalformed)?;
        let (device, said) = verified;
        Ok(Self { said, device })
    }
}

impl Command for GiveBack {
    const NAME: &'static str = "licensing.give_back";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.said.activation.to_string())
    }
}

/// Frees the seat of the device that says so, as often as seats may be moved, and tells the device
/// that it was heard. Saying it again changes nothing.
pub fn give_back(cx: &mut Cx<'_>, cmd: &GiveBack) -> Result<Vec<u8>, LicensingError> {
    let (tenant, said) = (cx.caller.tenant, &cmd.said);
    let found = sql::activation_by_id(cx.tx, tenant, said.activation)?;
    let own =
        found.filter(|one| one.device_key == *cmd.device.as_bytes() && one.license == said.license);
    let activation = own.ok_or(LicensingError::NotFound)?;
    let license = sql::license_by_id(cx.tx, tenant, activation.license)?;
    let license = license.filter(|license| license.product_code == said.product);
    let license = license.ok_or(LicensingError::NotFound)?;
    if activation.seat.is_some() {
        count_move(cx, &license)?;
        if sql::give_up_seat(cx.tx, tenant, activation.id, cx.now)? {
            crate::events::record(cx, "license.deactivated", &license.id.to_string(), &())?;
        }
    }
    let key = custody::product_key(cx, license.seller, &license.product_code)?;
    tell_time(cx.now, &said.product, cmd.device, said.nonce, &key)
}

/// A device's signed question for the time.
#[derive(Debug)]
pub struct AskTime {
    request: Request,
    device: PublicKey,
}

impl AskTime {
    /// Reads its bytes and checks that whoever made it holds the device's key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LicensingError> {
        let verified = Request::verify(bytes).map_err(LicensingError::RequestMalformed)?;
        let (device, request) = verified;
        if request.wanted == Wanted::Time {
            return Ok(Self { request, device });
        }
        let detail = "this asks for a seat, not for the time";
        let wrong = mintreu::Error::new("malformed", detail);
        Err(LicensingError::RequestMalformed(wrong))
    }
}

impl Command for AskTime {
    const NAME: &'static str = "licensing.tell_time";
    const CAPABILITY: Capability = Capability::Browse;
    const AUDITED: bool = false;
}

/// Tells any device of a product what time it is: that gives away nothing.
pub fn answer_time(cx: &mut Cx<'_>, cmd: &AskTime) -> Result<Vec<u8>, LicensingError> {
    let code = &cmd.request.product;
    let product = catalog::product_by_code(cx.tx, cx.caller.tenant, code)?;
    let product = product.filter(|product| product.state != catalog::State::Draft);
    let product = product.ok_or(LicensingError::NotFound)?;
    let key = custody::product_key(cx, product.seller.account, code)?;
    tell_time(cx.now, code, cmd.device, cmd.request.nonce, &key)
}

fn tell_time(
    now: Timestamp,
    product: &str,
    device: PublicKey,
    nonce: [u8; 16],
    key: &Held,
) -> Result<Vec<u8>, LicensingError> {
    let proof = TimeProof {
        product: product.to_owned(),
        at: now,
        device,
        nonce,
    };
    proof
        .issue(&key.key, &key.certificates())
        .map_err(LicensingError::Signing)
}

/// Whatever a device without a network sends by file, paste or code.
#[derive(Debug)]
pub enum Carried {
    /// It wants a seat, or to keep one.
    Seat(super::Activate),
    /// It gives one back.
    GivenBack(GiveBack),
    /// It asks for the time.
    Time(AskTime),
}

impl Carried {
    /// Reads the bytes of any of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LicensingError> {
        let kind = mintreu::document::kind_of(bytes).map_err(LicensingError::RequestMalformed)?;
        if kind == mintreu::document::Kind::Deactivation {
            return GiveBack::from_bytes(bytes).map(Self::GivenBack);
        }
        match AskTime::from_bytes(bytes) {
            Ok(asked) => Ok(Self::Time(asked)),
            Err(_) => super::Activate::from_bytes(bytes).map(Self::Seat),
        }
    }

    /// Reads any of them in any of its text forms.
    pub fn from_text(text: &str) -> Result<Self, LicensingError> {
        let bytes = mintreu::document::from_text(text).map_err(LicensingError::RequestMalformed)?;
        Self::from_bytes(&bytes)
    }
}

/// Frees the floating seats of a license whose time is over.
pub(super) fn end_seats(cx: &mut Cx<'_>, license: &License) -> Result<(), LicensingError> {
    if license.terms.floating.is_some() {
        sql::end_seats(cx.tx, cx.caller.tenant, license.id, cx.now)?;
    }
    Ok(())
}
