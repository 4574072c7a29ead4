//! Use cases of hosts: a customer's own machine that lends a license's seats on a network without
//! internet, in the shop's place.
//!
//! The product's key certifies the host's key for activations and leases of this one license, until
//! a day that is set at once: what was certified can't be called back before. While it lasts, the
//! seats are the host's, all of them, and none is taken online.

use super::custody;
use super::key_sets;
use super::model::{License, LicenseState, LicensingError};
use super::seats::end_seats;
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::hostfile::HostFile;
use crate::store::Tx;
use mintreu::Timestamp;
use mintreu::document::{Kind, PublicKey};
use mintreu::id::{LicenseId, TenantId};
use mintreu::license::{Certificate, Products, Trust};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The longest that seats may be handed over for.
pub const MAX_DAYS: i64 = 366;

/// A host that lends, or lent, a license's seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingHost {
    /// The host's key.
    pub key: PublicKey,
    /// What the host is given: license and certificates in one text. It holds no secret.
    pub file: String,
    /// When it was certified last.
    pub delegated_at: Timestamp,
    /// When its right ends.
    pub ends_at: Timestamp,
}

/// Hands the seats of one's own license to a host.
#[derive(Debug, Clone)]
pub struct DelegateHost {
    /// Which license.
    pub license: LicenseId,
    /// The key that the host showed at its first start.
    pub host: PublicKey,
    /// For how many days, 1 to [`MAX_DAYS`].
    pub days: i64,
}

impl Command for DelegateHost {
    const NAME: &'static str = "licensing.delegate_host";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }

    /// Devices that take seats online queue up with it.
    fn contention_keys(&self) -> Vec<String> {
        let license = mintreu::id::encode(self.license.as_bytes());
        vec![format!("activate {license}")]
    }
}

/// Certifies a host, or the same host for longer; the seats are its own from then on.
pub fn delegate_host(cx: &mut Cx<'_>, cmd: &DelegateHost) -> Result<FloatingHost, LicensingError> {
    let tenant = cx.caller.tenant;
    if !(1..=MAX_DAYS).contains(&cmd.days) {
        return Err(LicensingError::DaysOutOfRange { most: MAX_DAYS });
    }
    let mut license = own(cx.tx, tenant, cmd.license, cx.caller.account)?;
    match license.state(cx.now) {
        LicenseState::Active => {}
        LicenseState::Expired => return Err(LicensingError::Expired),
        LicenseState::Revoked => return Err(LicensingError::Revoked),
    }
    if license.terms.floating.is_none() {
        return Err(LicensingError::NotFloating);
    }
    let before = sql::hosts::in_force(cx.tx, tenant, license.id, cx.now)?;
    if let Some(other) = before.as_ref().filter(|before| before.key != cmd.host) {
        let until = other.ends_at;
        return Err(LicensingError::SeatsDelegated { until });
    }
    end_seats(cx, &license)?;
    let taken = sql::seats_taken(cx.tx, tenant, license.id)?;
    if taken > 0 {
        return Err(LicensingError::SeatsInUse { taken });
    }
    key_sets::refresh(cx, &mut license)?;
    let host = certified(cx, cmd, &license, before)?;
    sql::hosts::keep(cx.tx, tenant, license.id, &host)?;
    crate::events::record(cx, "license.delegated", &license.id.to_string(), &())?;
    Ok(host)
}

/// Signs the certificate and writes the host's file.
fn certified(
    cx: &mut Cx<'_>,
    cmd: &DelegateHost,
    license: &License,
    before: Option<FloatingHost>,
) -> Result<FloatingHost, LicensingError> {
    let key = custody::product_key(cx, license.seller, &license.product_code)?;
    let trust = custody::pinned(cx, license.seller, &license.product_code)?;
    let signing = LicensingError::Signing;
    // Certificates count in whole seconds.
    let now = Timestamp::from_secs(cx.now.secs());
    let asked = now.plus_ms(cmd.days.saturating_mul(DAY_MS));
    let mut until = license.expires_at.map_or(asked, |end| asked.min(end));
    if let Some(parent) = parent(&key, &trust)? {
        until = parent.signs_until.map_or(until, |end| until.min(end));
    }
    let until = Timestamp::from_secs(until.secs());
    let certificate = Certificate {
        key: cmd.host,
        kinds: vec![Kind::Activation, Kind::Lease],
        products: Products::Only(vec![license.product_code.clone()]),
        issued_at: now,
        signs_from: now,
        signs_until: Some(until),
        delegate: false,
        licenses: Some(vec![license.id]),
    };
    let certificate = certificate.issue(&key.key).map_err(signing)?;
    let above = key.certificate.clone().into_iter();
    let file = HostFile {
        trust: Some(trust),
        license: license.document.clone(),
        certificates: above.chain([certificate]).collect(),
    };
    let notes = [
        format!("Floating seats of {} for the host {}", license.id, cmd.host),
        "Give it to: mintreu serve --floating --license FILE. It holds no secret.".to_owned(),
    ];
    Ok(FloatingHost {
        key: cmd.host,
        file: file.to_text(&notes).map_err(signing)?,
        delegated_at: cx.now,
        // The certificate of before is as good as it was.
        ends_at: before.map_or(until, |before| before.ends_at.max(until)),
    })
}

/// The certificate above the host's, if this house can read it; it must let the product's key
/// certify others.
fn parent(key: &custody::Held, trust: &Trust) -> Result<Option<Certificate>, LicensingError> {
    let Some(bytes) = &key.certificate else {
        return Ok(None);
    };
    let roots: Vec<&PublicKey> = trust.roots().collect();
    match Certificate::verify(bytes, &roots) {
        Ok(parent) if !parent.delegate => Err(LicensingError::HostNotCertifiable),
        Ok(parent) => Ok(Some(parent)),
        // A root of before signed it; devices that follow the key sets judge it.
        Err(_) => Ok(None),
    }
}

fn own(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: LicenseId,
    me: Option<mintreu::id::AccountId>,
) -> Result<License, LicensingError> {
    let found = sql::license_by_id(tx, tenant, id)?;
    let own = found.filter(|license| me.is_some() && license.owner == me);
    own.ok_or(LicensingError::NotFound)
}

/// The hosts that one's own license has or had, those that end last first.
pub fn hosts(
    cx: &mut ReadCx<'_>,
    license: &LicenseId,
) -> Result<Vec<FloatingHost>, LicensingError> {
    let (tenant, me) = (cx.caller.tenant, cx.caller.account);
    let license = own(cx.tx, tenant, *license, me)?;
    Ok(sql::hosts::all(cx.tx, tenant, license.id)?)
}

/// Refuses a seat online while a host lends them.
pub(super) fn refuse_delegated(cx: &mut Cx<'_>, license: &License) -> Result<(), LicensingError> {
    match sql::hosts::in_force(cx.tx, cx.caller.tenant, license.id, cx.now)? {
        Some(host) => Err(LicensingError::SeatsDelegated {
            until: host.ends_at,
        }),
        None => Ok(()),
    }
}
