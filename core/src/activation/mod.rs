//! Activation: how a device gets its seat, by network, by file or by code.
//!
//! A customer types a [`RedeemCode`], or a key that the seller gave out elsewhere before, or already
//! holds a license. The device makes a [`Request`],
//! signed by its own key; whoever issues answers with an [`Activation`] bound to that key and to
//! the request's nonce. The activation may carry the license itself, so that one answer is all a
//! device without a network needs. [`judge_texts`] takes both the whole way to a verdict.
//!
//! A floating seat is held for a while only; a [`Lease`] keeps it for longer. A [`Deactivation`]
//! gives a seat back. Of a quota that devices share, a [`UnitsRequest`] gets a [`UnitsLease`]. A device whose clock is in doubt asks for the time and gets a [`TimeProof`].
//!
//! # Invariants
//!
//! * A request proves that whoever made it holds the device key it names.
//! * An activation is good for one license, one device and one request.
//! * A lease moves the end of one activation and nothing else.
//! * A lease of units is for one activation; of those with one window only the highest number counts.
//! * A proof of the time answers one question of one device.
//! * Fingerprints are keyed hashes: the values they are made of never leave the device.
//! * A redeem code with one wrong character, or two swapped, is never taken for another code.

mod code;
mod deactivation;
mod document;
mod fingerprint;
mod lease;
mod time_proof;
mod units;

pub use code::RedeemCode;
pub use deactivation::Deactivation;
pub use document::{Activation, Request, VerifiedActivation, Wanted, seller_key};
pub use fingerprint::Fingerprint;
pub use lease::{Lease, VerifiedLease};
pub use time_proof::TimeProof;
pub use units::{UnitsLease, UnitsRequest, VerifiedUnits};

use crate::document::{PublicKey, from_text};
use crate::error::Result;
use crate::license::{
    self, ActivationFacts, DeviceFacts, Facts, Matching, Ring, Trust, Verdict, judge,
};
use crate::time::Timestamp;

/// What a device holds, in any text form.
#[derive(Debug, Clone, Default)]
pub struct Presented<'a> {
    /// The license.
    pub license: &'a str,
    /// The activation, if there is one.
    pub activation: Option<&'a str>,
    /// The newest lease of the activation's seat, if there is one.
    pub lease: Option<&'a str>,
    /// The device's key, if it has one.
    pub device: Option<PublicKey>,
    /// The host as it is now; compared where the license asks for it.
    pub fingerprint: Fingerprint,
    /// Key sets, older ones first; of several the newest counts.
    pub key_sets: &'a [&'a str],
    /// Revocation lists; of each the newest counts.
    pub revocations: &'a [&'a str],
}

/// Reads, verifies and judges a license and its activation: the whole way in one call.
///
/// The device in `facts` is taken from `presented`, and so is the license's standing where key sets
/// or revocation lists are. Whatever doesn't open becomes the verdict.
pub fn judge_texts(presented: &Presented<'_>, trust: &Trust, facts: &Facts) -> Verdict {
    judged(presented, trust, facts).unwrap_or_else(|error| Verdict::from(&error))
}

fn judged(presented: &Presented<'_>, trust: &Trust, facts: &Facts) -> Result<Verdict> {
    let ring = ring_of(presented, trust)?;
    let license = license::verify(&from_text(presented.license)?, &ring)?;
    let license = ring.newest(&license);
    let activation = match presented.activation {
        Some(text) => Some(Activation::verify(&from_text(text)?, &ring)?),
        None => None,
    };
    let lease = match (presented.lease, &activation) {
        (Some(text), Some(held)) => Some(Lease::verify(&from_text(text)?, held, &ring)?),
        _ => None,
    };
    let seat = activation.map(|activation| Seat { activation, lease });
    let revoked_from = seat.as_ref().and_then(|seat| seat.revoked_from(&ring));
    let standing = ring.standing(license).with_revoked_from(revoked_from);
    let matching = license.claims().matching;
    let device = presented.device.map(|key| DeviceFacts {
        key,
        activation: seat.map(|seat| seat.facts(matching, &presented.fingerprint)),
    });
    let facts = Facts {
        device,
        standing,
        ..*facts
    };
    Ok(judge(license, &facts))
}

/// An activation and what keeps its seat for longer.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub activation: VerifiedActivation,
    pub lease: Option<VerifiedLease>,
}

impl Seat {
    /// When the seat is no longer kept; `None` where it is for as long as the license.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let end = self.activation.claims().expires_at?;
        let lent = self.lease.as_ref().map(VerifiedLease::ends_at);
        Some(lent.map_or(end, |lent| lent.max(end)))
    }

    /// From when a key is revoked that the seat hangs on.
    pub fn revoked_from(&self, ring: &Ring) -> Option<Timestamp> {
        let of_lease = self.lease.as_ref().map(VerifiedLease::signers);
        let all = of_lease.into_iter().chain([self.activation.signers()]);
        all.filter_map(|signers| ring.revoked_from(signers)).min()
    }

    /// What judging needs of it, with the host as it is `now` under the license's policy.
    pub fn facts(&self, matching: Matching, now: &Fingerprint) -> ActivationFacts {
        ActivationFacts {
            expires_at: self.ends_at(),
            ..self.activation.facts(matching, now)
        }
    }
}

fn ring_of(presented: &Presented<'_>, trust: &Trust) -> Result<Ring> {
    let mut ring = Ring::new(trust.clone());
    for text in presented.key_sets {
        or_older(ring.install_key_set(&from_text(text)?), &ring)?;
    }
    for text in presented.revocations {
        or_older(ring.install_revocations(&from_text(text)?), &ring)?;
    }
    Ok(ring)
}

/// One that is older than another that was presented too does no harm.
fn or_older(installed: Result<bool>, ring: &Ring) -> Result<()> {
    match installed {
        Err(error) if error.code() == "list_old" => Ok(()),
        Err(error) if error.code() == "keyset_old" && ring.key_set().is_some() => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests;
