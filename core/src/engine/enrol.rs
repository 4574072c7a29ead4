//! Enrolment: the device asks for its activation and takes the answer.

use super::Shared;
use crate::activation::{Activation, Request, VerifiedActivation, Wanted};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::license::verify;

/// The request that waits for its answer: the same bytes each time they are sent.
const REQUEST: &str = "request";
/// The nonce of the last request: what an answer must carry.
const NONCE: &str = "request nonce";

/// Signs a request and keeps it, in place of an older one.
pub(super) fn ask(shared: &Shared, wanted: Wanted) -> Result<()> {
    let product = shared.trust.product().ok_or_else(|| {
        Error::new(
            "product_missing",
            "this engine trusts a root for no product in particular",
        )
    })?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| {
        Error::new(
            "no_randomness",
            "the system gave no randomness for a request",
        )
    })?;
    let request = Request {
        product: product.to_owned(),
        issued_at: shared.clock.now(),
        nonce,
        wanted,
        fingerprint: shared.host.fingerprint.clone(),
        version: shared.host.version.map(|version| version.to_string()),
    };
    let bytes = request.seal(&shared.journal.device()?)?;
    shared
        .journal
        .set_states(&[(NONCE, Some(&nonce)), (REQUEST, Some(&bytes))])
}

/// The request to send: the one that waits, or a new one for a license that needs it.
pub(super) fn pending(shared: &Shared) -> Result<Option<Vec<u8>>> {
    if let Some(bytes) = shared.journal.state(REQUEST)? {
        return Ok(Some(bytes));
    }
    let wanted = shared.held(super::Held::to_activate);
    let Some(license) = wanted else {
        return Ok(None);
    };
    ask(shared, Wanted::License(license))?;
    shared.journal.state(REQUEST)
}

/// Whether an activation answers this device's last request.
pub(super) fn check_answer(shared: &Shared, bundle: &[u8]) -> Result<()> {
    let activation = Activation::verify(bundle, &shared.trust)?;
    if shared.journal.state(NONCE)?.as_deref() == Some(&activation.claims().nonce[..]) {
        return Ok(());
    }
    Err(Error::new(
        "activation_mismatch",
        "this activation answers another request; send this device's own request first",
    ))
}

/// Forgets the request that was answered.
pub(super) fn answered(shared: &Shared) -> Result<()> {
    shared.journal.set_states(&[(REQUEST, None)])
}

/// Holds a verified activation of this device, and the license that came with it.
pub(super) fn take_up(shared: &Shared, activation: VerifiedActivation) -> Result<LicenseId> {
    let claims = activation.claims();
    if claims.device != shared.host.device {
        return Err(Error::new(
            "wrong_device",
            "this activation is for another device; activate this one",
        ));
    }
    let license = claims.license;
    if let Some(bundle) = &claims.license_bundle {
        let carried = verify(bundle, &shared.trust)?;
        if carried.claims().id != license {
            return Err(Error::new(
                "malformed",
                "the activation carries another license",
            ));
        }
        shared.hold(|held| held.add(carried));
    }
    shared.trust_time(claims.issued_at)?;
    shared
        .journal
        .use_license(license, &claims.product, shared.seal_time())?;
    shared.hold(|held| held.activate(activation));
    Ok(license)
}
