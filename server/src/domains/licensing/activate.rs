//! Use cases of devices: take a seat, give it up, be heard of.

use super::custody;
use super::guesses::Tried;
use super::hosts;
use super::key_sets;
use super::model::{Activation, License, LicenseState, LicensingError};
use super::ops::{license_of_code, license_of_key};
use super::seats::{end_seats, renew, seat_end};
use super::sql::{self, StoredActivation};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::store::StoreError;
use mintreu::activation::{self as document, Request, Wanted};
use mintreu::document::PublicKey;
use mintreu::id::{ActivationId, KeyId, LicenseId};
use sha2::{Digest, Sha256};

/// How far back moved seats count: 30 days.
const MOVES_WINDOW_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// How often seats may be given up in that time, beside once for every seat.
const MOVES: i64 = 4;

/// A device's signed request for a seat, its signature checked.
#[derive(Debug)]
pub struct Activate {
    request: Request,
    device: PublicKey,
    hash: [u8; 32],
    weak_allowed: bool,
}

impl Activate {
    /// Reads a request's bytes and checks that whoever made it holds the device key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LicensingError> {
        let verified = Request::verify(bytes).map_err(LicensingError::RequestMalformed)?;
        let (device, request) = verified;
        if request.wanted == Wanted::Time {
            let detail = "this asks for the time, not for a seat";
            let wrong = mintreu::Error::new("malformed", detail);
            return Err(LicensingError::RequestMalformed(wrong));
        }
        Ok(Self {
            request,
            device,
            hash: Sha256::digest(bytes).into(),
            weak_allowed: true,
        })
    }

    /// What is tried, for the limits; nothing for a license by its id.
    pub fn tried(&self) -> Option<Tried> {
        Tried::of_request(&self.request.product, &self.request.wanted)
    }

    /// Whether a key that can be guessed is answered; see [`super::guesses`].
    #[must_use]
    pub fn with_weak_allowed(mut self, weak_allowed: bool) -> Self {
        self.weak_allowed = weak_allowed;
        self
    }

    /// Reads a request in any of its text forms.
    pub fn from_text(text: &str) -> Result<Self, LicensingError> {
        let bytes = mintreu::document::from_text(text).map_err(LicensingError::RequestMalformed)?;
        Self::from_bytes(&bytes)
    }
}

impl Command for Activate {
    const NAME: &'static str = "licensing.activate";
    const CAPABILITY: Capability = Capability::Browse;

    /// Devices of one license queue up, instead of losing races for its seats.
    fn contention_keys(&self) -> Vec<String> {
        let wanted = match &self.request.wanted {
            Wanted::License(id) => *id.as_bytes(),
            Wanted::Code(code) => short_hash(&code.canonical()),
            Wanted::Key(key) => short_hash(key),
            // Refused when it was read.
            Wanted::Time => [0; 16],
        };
        vec![format!("activate {}", mintreu::id::encode(&wanted))]
    }
}

fn short_hash(text: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    short
}

/// A device's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activated {
    /// Of which license.
    pub license: LicenseId,
    /// The activation.
    pub activation: ActivationId,
    /// The signed bundle, for the device.
    pub document: Vec<u8>,
    /// Whether this call took the seat.
    pub new: bool,
}

/// Gives the device a seat, or answers the one it has. Exactly as many devices win as there are
/// seats.
pub fn activate(cx: &mut Cx<'_>, cmd: &Activate) -> Result<Activated, LicensingError> {
    let tenant = cx.caller.tenant;
    let mut license = wanted(cx, cmd)?;
    if license.product_code != cmd.request.product {
        return Err(LicensingError::WrongProduct);
    }
    match license.state(cx.now) {
        LicenseState::Active => {}
        LicenseState::Expired => return Err(LicensingError::Expired),
        LicenseState::Revoked => return Err(LicensingError::Revoked),
    }
    end_seats(cx, &license)?;
    hosts::refuse_delegated(cx, &license)?;
    if let Some(kept) = renew(cx, &cmd.request, &cmd.device, &license)? {
        return Ok(kept);
    }
    key_sets::refresh(cx, &mut license)?;
    let held = sql::live_of_device(cx.tx, tenant, license.id, cmd.device.as_bytes())?;
    match held {
        Some(held) => again(cx, cmd, &license, held),
        None => take_seat(cx, cmd, &license),
    }
}

fn wanted(cx: &mut Cx<'_>, cmd: &Activate) -> Result<License, LicensingError> {
    let tenant = cx.caller.tenant;
    match &cmd.request.wanted {
        Wanted::Code(code) => license_of_code(cx, code),
        Wanted::License(id) => {
            sql::license_by_id(cx.tx, tenant, *id)?.ok_or(LicensingError::NotFound)
        }
        Wanted::Key(key) => {
            let wanted = (cmd.request.product.as_str(), key.as_str());
            license_of_key(cx, wanted, cmd.weak_allowed)
        }
        // Refused when it was read.
        Wanted::Time => Err(LicensingError::NotFound),
    }
}

/// The same request gets the same bytes, unless their key was revoked since; a new one, from a
/// device that lost its answer, gets a document of the same activation bound to the new nonce.
fn again(
    cx: &mut Cx<'_>,
    cmd: &Activate,
    license: &License,
    mut held: StoredActivation,
) -> Result<Activated, LicensingError> {
    let (tenant, id) = (cx.caller.tenant, held.activation.id);
    if held.request_hash != cmd.hash || sql::keys::activation_hangs_on_revoked(cx.tx, tenant, id)? {
        let end = seat_end(license, cmd.request.lend_secs, cx.now);
        held.activation.seat_ends_at = end.max(held.activation.seat_ends_at);
        let (document, key) = sign(cx, cmd, license, &held.activation)?;
        held.activation.document = document;
        held.request_hash = cmd.hash.to_vec();
        sql::reissue_activation(cx.tx, tenant, &held, key, cx.now)?;
    }
    Ok(Activated {
        license: license.id,
        activation: held.activation.id,
        document: held.activation.document,
        new: false,
    })
}

fn take_seat(
    cx: &mut Cx<'_>,
    cmd: &Activate,
    license: &License,
) -> Result<Activated, LicensingError> {
    let tenant = cx.caller.tenant;
    let seats = license.seats;
    let seat = sql::free_seat(cx.tx, tenant, license.id, seats)?;
    let seat = seat.ok_or(LicensingError::SeatsExhausted { seats })?;
    let id = cx.make_id(ActivationId::from_bytes);
    let mut activation = Activation {
        id,
        license: license.id,
        device_key: *cmd.device.as_bytes(),
        seat: Some(seat),
        seat_ends_at: seat_end(license, cmd.request.lend_secs, cx.now),
        document: Vec::new(),
        activated_at: cx.now,
        last_seen_at: cx.now,
        deactivated_at: None,
    };
    let (document, key) = sign(cx, cmd, license, &activation)?;
    activation.document = document;
    let stored = StoredActivation {
        activation,
        request_hash: cmd.hash.to_vec(),
    };
    sql::insert_activation(cx.tx, tenant, &stored, key)?;
    crate::events::record(cx, "license.activated", &license.id.to_string(), &())?;
    Ok(Activated {
        license: license.id,
        activation: id,
        document: stored.activation.document,
        new: true,
    })
}

/// The activation's bundle, and the key that signed it.
fn sign(
    cx: &mut Cx<'_>,
    cmd: &Activate,
    license: &License,
    seat: &Activation,
) -> Result<(Vec<u8>, KeyId), LicensingError> {
    let key = custody::product_key(cx, license.seller, &license.product_code)?;
    let bundle = match cmd.request.wanted {
        // A device that typed a code or a key has no license yet.
        Wanted::Code(_) | Wanted::Key(_) => Some(license.document.clone()),
        Wanted::License(_) | Wanted::Time => None,
    };
    let activation = document::Activation {
        id: seat.id,
        license: license.id,
        product: license.product_code.clone(),
        issued_at: cx.now,
        // The seat is held for as long as the license; only a floating one is lent for a time.
        expires_at: seat.seat_ends_at,
        device: cmd.device,
        nonce: cmd.request.nonce,
        fingerprint: cmd.request.fingerprint.clone(),
        license_bundle: bundle,
    };
    let bundle = activation.issue(&key.key, &key.certificates());
    Ok((bundle.map_err(LicensingError::Signing)?, key.id))
}

/// Gives up a seat, so that another device may take it.
#[derive(Debug, Clone, Copy)]
pub struct Deactivate {
    /// Which.
    pub activation: ActivationId,
}

impl Command for Deactivate {
    const NAME: &'static str = "licensing.deactivate";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.activation.to_string())
    }
}

/// Gives up a seat of one's own license. Giving it up again changes nothing.
pub fn deactivate(cx: &mut Cx<'_>, cmd: &Deactivate) -> Result<(), LicensingError> {
    let (tenant, me) = (cx.caller.tenant, cx.caller.account);
    let found = sql::activation_by_id(cx.tx, tenant, cmd.activation)?;
    let activation = found.ok_or(LicensingError::NotFound)?;
    let license = sql::license_by_id(cx.tx, tenant, activation.license)?;
    let own = |license: &License| me.is_some() && license.owner == me;
    let license = license.filter(own).ok_or(LicensingError::NotFound)?;
    if activation.seat.is_none() {
        return Ok(());
    }
    count_move(cx, &license)?;
    if sql::give_up_seat(cx.tx, tenant, activation.id, cx.now)? {
        crate::events::record(cx, "license.deactivated", &license.id.to_string(), &())?;
    }
    Ok(())
}

/// Refuses when seats were given up too often lately. Floating seats come and go as they like.
pub(super) fn count_move(cx: &mut Cx<'_>, license: &License) -> Result<(), LicensingError> {
    if license.terms.floating.is_some() {
        return Ok(());
    }
    let most = license.seats.saturating_add(MOVES);
    let since = cx.now.plus_ms(-MOVES_WINDOW_MS);
    match sql::moves_since(cx.tx, cx.caller.tenant, license.id, since)? >= most {
        true => Err(LicensingError::TooManyMoves { most }),
        false => Ok(()),
    }
}

/// A device that reports usage, with the license it does so under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The license.
    pub license: License,
    /// Its live activation, else the last one that was given up.
    pub activation: Activation,
}

/// The device with this key under this license.
pub fn device(
    cx: &mut Cx<'_>,
    license: LicenseId,
    device_key: &[u8; 32],
) -> Result<Option<Device>, StoreError> {
    let tenant = cx.caller.tenant;
    let known = sql::activations_of_device(cx.tx, tenant, device_key)?;
    let mut of_license: Vec<_> = known
        .into_iter()
        .filter(|one| one.license == license)
        .collect();
    of_license.sort_by_key(|one| one.seat.is_none());
    let Some(activation) = of_license.into_iter().next() else {
        return Ok(None);
    };
    let license = sql::license_by_id(cx.tx, tenant, license)?;
    Ok(license.map(|license| Device {
        license,
        activation,
    }))
}

/// Notes that a device was heard of.
pub fn seen(cx: &mut Cx<'_>, activation: ActivationId) -> Result<(), StoreError> {
    sql::seen(cx.tx, cx.caller.tenant, activation, cx.now)
}
