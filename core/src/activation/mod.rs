//! Activation: how a device gets its seat, by network, by file or by code.
//!
//! A customer types a [`RedeemCode`] or already holds a license. The device makes a [`Request`],
//! signed by its own key; whoever issues answers with an [`Activation`] bound to that key and to
//! the request's nonce. The activation may carry the license itself, so that one answer is all a
//! device without a network needs. [`judge_texts`] takes both the whole way to a verdict.
//!
//! # Invariants
//!
//! * A request proves that whoever made it holds the device key it names.
//! * An activation is good for one license, one device and one request.
//! * Fingerprints are keyed hashes: the values they are made of never leave the device.
//! * A redeem code with one wrong character, or two swapped, is never taken for another code.

mod code;
mod document;
mod fingerprint;

pub use code::RedeemCode;
pub use document::{Activation, Request, VerifiedActivation, Wanted};
pub use fingerprint::Fingerprint;

use crate::document::{PublicKey, from_text};
use crate::error::Result;
use crate::license::{self, DeviceFacts, Facts, Ring, Trust, Verdict, judge};

/// What a device holds, in any text form.
#[derive(Debug, Clone, Default)]
pub struct Presented<'a> {
    /// The license.
    pub license: &'a str,
    /// The activation, if there is one.
    pub activation: Option<&'a str>,
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
    let signers = activation.as_ref().map(VerifiedActivation::signers);
    let standing = ring
        .standing(license)
        .with_revoked_from(signers.and_then(|signers| ring.revoked_from(signers)));
    let matching = license.claims().matching;
    let device = presented.device.map(|key| DeviceFacts {
        key,
        activation: activation.map(|known| known.facts(matching, &presented.fingerprint)),
    });
    let facts = Facts {
        device,
        standing,
        ..*facts
    };
    Ok(judge(license, &facts))
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
