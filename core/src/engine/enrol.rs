//! Enrolment: the device asks for its seats, keeps them, gives them back, and takes the answers.

use std::collections::BTreeSet;

use super::held::Held;
use super::{Installed, Shared};
use crate::activation::{
    Activation, Deactivation, Lease, Request, TimeProof, VerifiedActivation, VerifiedLease, Wanted,
};
use crate::error::{Error, Result};
use crate::id::{ActivationId, LicenseId};
use crate::license::verify;
use crate::time::Timestamp;

/// The request that waits for its answer: the same bytes each time they are sent.
pub(super) const REQUEST: &str = "request";
/// The nonce of the last request: what an answer must carry.
const NONCE: &str = "request nonce";
pub(super) const ACTIVATION: &str = "activation";
pub(super) const LEASE: &str = "lease";
/// Seats given back, until somebody has acknowledged it.
pub(super) const DEACTIVATION: &str = "deactivation";

/// What a request asks, beside what every request of this device says.
pub(super) struct Ask {
    pub wanted: Wanted,
    pub renews: Option<ActivationId>,
    pub lend_secs: Option<u32>,
}

impl From<Wanted> for Ask {
    fn from(wanted: Wanted) -> Self {
        Self {
            wanted,
            renews: None,
            lend_secs: None,
        }
    }
}

/// Signs a request and keeps it, in place of an older one.
pub(super) fn ask(shared: &Shared, ask: impl Into<Ask>) -> Result<()> {
    let ask = ask.into();
    if let Wanted::License(license) = ask.wanted {
        shared
            .journal
            .set_states(&[(&given_up_name(license), None)])?;
    }
    let (nonce, bytes) = sealed(shared, ask)?;
    shared
        .journal
        .set_states(&[(NONCE, Some(&nonce)), (REQUEST, Some(&bytes))])
}

/// A signed request with a fresh nonce.
pub(super) fn sealed(shared: &Shared, ask: Ask) -> Result<([u8; 16], Vec<u8>)> {
    let nonce = fresh_nonce()?;
    // Whoever asks for the time needs no more than who asks.
    let (fingerprint, version) = match ask.wanted {
        Wanted::Time => Default::default(),
        _ => (
            shared.host.fingerprint.clone(),
            shared.host.version.map(|version| version.to_string()),
        ),
    };
    let request = Request {
        product: product(shared)?.to_owned(),
        issued_at: shared.keeper.wall(),
        nonce,
        wanted: ask.wanted,
        fingerprint,
        version,
        renews: ask.renews,
        lend_secs: ask.lend_secs,
    };
    Ok((nonce, request.seal(shared.journal.device())?))
}

pub(super) fn fresh_nonce() -> Result<[u8; 16]> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| {
        Error::new(
            "no_randomness",
            "the system gave no randomness for a request",
        )
    })?;
    Ok(nonce)
}

pub(super) fn product(shared: &Shared) -> Result<&str> {
    shared.trust.product().ok_or_else(|| {
        Error::new(
            "product_missing",
            "this engine trusts a root for no product in particular",
        )
    })
}

fn given_up_name(license: LicenseId) -> String {
    format!("given up {license}")
}

/// The request to send: the one that waits, or a new one for a license that needs a seat or for
/// a seat whose time is half over.
pub(super) fn pending(shared: &Shared) -> Result<Option<Vec<u8>>> {
    if let Some(bytes) = shared.journal.state(REQUEST)? {
        return Ok(Some(bytes));
    }
    let given_up = |license| {
        let state = shared.journal.state(&given_up_name(license));
        state.map(|state| state.is_some())
    };
    let licenses = shared.held(|held| held.licenses().iter().map(|l| l.claims().id).collect());
    let mut idle = Vec::new();
    for license in Vec::<LicenseId>::into_iter(licenses) {
        if given_up(license)? {
            idle.push(license);
        }
    }
    let now = shared.now().at;
    let asked = shared.turn().renewed.clone();
    let next = shared.held(|held| {
        let wanted = held.to_activate(|license| idle.contains(&license));
        wanted
            .map(|license| Ask::from(Wanted::License(license)))
            .or_else(|| renewal(held, now, &asked))
    });
    let Some(next) = next else {
        return Ok(None);
    };
    if let (Wanted::License(license), Some(_)) = (&next.wanted, next.renews) {
        shared.turn().renewed.insert(*license);
    }
    ask(shared, next)?;
    shared.journal.state(REQUEST)
}

/// The seat that is next to be kept: half of its time is over, or a key that it hangs on is revoked.
///
/// Each is asked for once a turn: whoever can't keep it for longer is not asked without pause.
fn renewal(held: &Held, now: Timestamp, asked: &BTreeSet<LicenseId>) -> Option<Ask> {
    let due = held.seats().find(|seat| {
        let begun = match &seat.lease {
            Some(lease) => lease.claims().issued_at,
            None => seat.activation.claims().issued_at,
        };
        let half_over = |end: Timestamp| now >= begun.plus_ms(end.since_ms(begun) / 2);
        let wanting =
            seat.ends_at().is_some_and(half_over) || seat.revoked_from(&held.ring).is_some();
        wanting && !asked.contains(&seat.activation.claims().license)
    })?;
    let claims = due.activation.claims();
    Some(Ask {
        wanted: Wanted::License(claims.license),
        renews: Some(claims.id),
        lend_secs: None,
    })
}

/// Asks to keep a floating seat for so long, network or not.
pub(super) fn borrow(shared: &Shared, license: Option<LicenseId>, seconds: u32) -> Result<()> {
    let (license, activation) = seat(shared, license)?;
    let next = Ask {
        wanted: Wanted::License(license),
        renews: Some(activation),
        lend_secs: Some(seconds),
    };
    ask(shared, next)
}

/// The seat that is meant: the one of `license`, or the only one.
fn seat(shared: &Shared, license: Option<LicenseId>) -> Result<(LicenseId, ActivationId)> {
    let seats: Vec<_> = shared.held(|held| {
        let all = held.seats().map(|seat| seat.activation.claims());
        let meant = all.filter(|claims| license.is_none_or(|id| id == claims.license));
        meant.map(|claims| (claims.license, claims.id)).collect()
    });
    match seats[..] {
        [one] => Ok(one),
        [] => Err(Error::new(
            "nothing_activated",
            "this device holds no such seat; activate it first",
        )),
        _ => Err(Error::new(
            "license_ambiguous",
            "this device holds seats of several licenses; say which",
        )),
    }
}

/// Gives a seat back: forgets the activation and keeps the signed word until it was heard.
pub(super) fn give_up(shared: &Shared, license: Option<LicenseId>) -> Result<Vec<u8>> {
    let (license, activation) = seat(shared, license)?;
    let given_up = Deactivation {
        product: product(shared)?.to_owned(),
        issued_at: shared.keeper.wall(),
        nonce: fresh_nonce()?,
        license,
        activation,
    };
    let bytes = given_up.seal(shared.journal.device())?;
    shared.journal.replace_documents(
        &[&named(ACTIVATION, license), &named(LEASE, license)],
        &[(&named(DEACTIVATION, license), &bytes)],
        &[
            (&given_up_name(license), Some(activation.as_bytes())),
            // An answer that is still on its way must not bring the seat back.
            (REQUEST, None),
            (NONCE, None),
        ],
    )?;
    shared.hold(|held| held.vacate(license));
    Ok(bytes)
}

/// The oldest word of a seat given back that nobody has acknowledged.
pub(super) fn given_up(shared: &Shared) -> Result<Option<Vec<u8>>> {
    Ok(oldest_given_up(shared)?.map(|(_, bytes)| bytes))
}

fn oldest_given_up(shared: &Shared) -> Result<Option<(String, Vec<u8>)>> {
    let documents = shared.journal.documents()?;
    let mut waiting = documents.into_iter();
    Ok(waiting.find(|(name, _)| name.starts_with(DEACTIVATION)))
}

/// Forgets the word that `proof` acknowledges; tells whether there was one.
pub(super) fn acknowledged(shared: &Shared, proof: &TimeProof) -> Result<bool> {
    for (name, bytes) in shared.journal.documents()? {
        if name.starts_with(DEACTIVATION) && Deactivation::verify(&bytes)?.1.nonce == proof.nonce {
            shared.journal.replace_documents(&[&name], &[], &[])?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// A host without the right to tell the time says only that it has heard.
pub(super) fn heard_given_up(shared: &Shared) -> Result<()> {
    match oldest_given_up(shared)? {
        Some((name, _)) => shared.journal.replace_documents(&[&name], &[], &[]),
        None => Ok(()),
    }
}

/// Forgets the request, answered or not.
pub(super) fn answered(shared: &Shared) -> Result<()> {
    shared.journal.set_states(&[(REQUEST, None)])
}

pub(super) fn named(kind: &str, license: LicenseId) -> String {
    format!("{kind} {license}")
}

/// Takes an activation that answers this device's last request, and keeps it.
pub(super) fn install(shared: &Shared, bundle: &[u8]) -> Result<Installed> {
    let activation = shared.verify(|ring| Activation::verify(bundle, ring))?;
    if shared.journal.state(NONCE)?.as_deref() != Some(&activation.claims().nonce[..]) {
        return Err(Error::new(
            "activation_mismatch",
            "this activation answers another request; send this device's own request first",
        ));
    }
    let claims = activation.claims();
    let (license, product) = (claims.license, claims.product.clone());
    let carried = hold(shared, activation)?;
    shared
        .journal
        .use_license(license, &product, shared.seal_time())?;
    let mut keep = vec![(named(ACTIVATION, license), bundle)];
    if let Some(carried) = &carried {
        keep.push((named(super::LICENSE, license), carried));
    }
    let keep: Vec<_> = keep.iter().map(|(name, b)| (name.as_str(), *b)).collect();
    let answered = [(REQUEST, None)];
    let forget = named(LEASE, license);
    shared
        .journal
        .replace_documents(&[&forget], &keep, &answered)?;
    Ok(Installed::Activation(license))
}

/// Holds a verified activation of this device, and gives the license that came with it.
pub(super) fn hold(shared: &Shared, activation: VerifiedActivation) -> Result<Option<Vec<u8>>> {
    let claims = activation.claims();
    if claims.device != shared.host.device {
        return Err(Error::new(
            "wrong_device",
            "this activation is for another device; activate this one",
        ));
    }
    let bundle = claims.license_bundle.clone();
    if let Some(bundle) = &bundle {
        let carried = shared.verify(|ring| verify(bundle, ring))?;
        if carried.claims().id != claims.license {
            return Err(Error::new(
                "malformed",
                "the activation carries another license",
            ));
        }
        shared.hold(|held| held.add(carried));
    }
    shared.trust_time(claims.issued_at)?;
    shared.hold(|held| held.activate(activation));
    Ok(bundle)
}

/// Takes a lease of one of this device's seats, and keeps it.
pub(super) fn install_lease(shared: &Shared, bundle: &[u8]) -> Result<Installed> {
    let (license, better) = hold_lease(shared, bundle)?;
    let waiting = shared.journal.state(REQUEST)?;
    let renews = match &waiting {
        Some(bytes) => Request::verify(bytes)?.1.renews.is_some(),
        None => false,
    };
    let answered = [(REQUEST, None)];
    let states = if renews { &answered[..] } else { &[] };
    let name = named(LEASE, license);
    let documents = [(name.as_str(), bundle)];
    let keep = if better { &documents[..] } else { &[] };
    shared.journal.replace_documents(&[], keep, states)?;
    Ok(Installed::Lease(license))
}

/// Holds a lease for whichever of this device's seats it is for; tells whether it is better than
/// the one that was held.
pub(super) fn hold_lease(shared: &Shared, bundle: &[u8]) -> Result<(LicenseId, bool)> {
    let (license, lease) = shared.held(|held| for_a_seat(held, bundle))?;
    shared.trust_time(lease.claims().issued_at)?;
    let better = shared.hold(|held| held.lend(license, lease));
    Ok((license, better))
}

fn for_a_seat(held: &Held, bundle: &[u8]) -> Result<(LicenseId, VerifiedLease)> {
    let mut refusal = Error::new(
        "nothing_activated",
        "this device holds no seat that a lease could keep; activate it first",
    );
    for seat in held.seats() {
        match Lease::verify(bundle, &seat.activation, &held.ring) {
            Ok(lease) => return Ok((seat.activation.claims().license, lease)),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}
