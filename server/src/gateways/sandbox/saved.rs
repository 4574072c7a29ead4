//! The sandbox's saved methods: cards that pay, that have no money now, and that are gone.
//!
//! A charge is a session that is over as soon as it begins, so whatever happens to a payment
//! later finds it where the others are.

use super::magic;
use super::model::{Choice, SessionState};
use super::ops::SandboxError;
use super::sql::{self, StoredSession};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::gateways::{CHARGE_ENDED, Charged, SavedCharge};
use mintreu::Money;

/// The methods that can be saved, and why a charge of each fails; `None` for the one that pays.
pub const METHODS: [(&str, Option<&str>); 4] = [
    ("sbm_pays", None),
    ("sbm_insufficient_funds", Some("insufficient_funds")),
    ("sbm_card_expired", Some("card_expired")),
    ("sbm_lost_card", Some("lost_card")),
];

/// Charges a saved method.
#[derive(Debug, Clone)]
pub struct ChargeSaved {
    /// What the shop asked for.
    pub charge: SavedCharge,
}

impl Command for ChargeSaved {
    const NAME: &'static str = "sandbox.charge_saved";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.charge.payment.to_string())
    }
}

/// Charges once: the same payment again answers what came of it.
pub fn charge_saved(cx: &mut Cx<'_>, cmd: &ChargeSaved) -> Result<Charged, SandboxError> {
    if let Some(known) = session_of(cx, &cmd.charge.payment.to_string())? {
        return came_of(cx, &known);
    }
    let failure = failure(cx, &cmd.charge.method)?;
    let state = match failure {
        None => SessionState::Succeeded,
        Some(_) => SessionState::Failed,
    };
    over(cx, &cmd.charge, (state, &cmd.charge.method))?;
    Ok(failure.map_or_else(|| succeeded(cmd.charge.amount), declined))
}

/// A session that is over as it begins.
fn over(
    cx: &mut Cx<'_>,
    charge: &SavedCharge,
    (state, card): (SessionState, &str),
) -> Result<(), SandboxError> {
    let tenant = cx.caller.tenant;
    let session = StoredSession {
        session: format!("sbx_{}", mintreu::id::encode(&cx.random())),
        reference: charge.payment.to_string(),
        description: charge.description.clone(),
        amount: charge.amount,
        return_url: String::new(),
        state,
        card: card.to_owned(),
        card_country: String::new(),
        strong: false,
        kept: false,
    };
    sql::insert_session(cx.tx, tenant, &session, cx.now)?;
    Ok(sql::move_session(cx.tx, tenant, &session, cx.now)?)
}

/// Ends a charge.
#[derive(Debug, Clone)]
pub struct EndCharge {
    /// What the shop had asked for.
    pub charge: SavedCharge,
}

impl Command for EndCharge {
    const NAME: &'static str = "sandbox.end_charge";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.charge.payment.to_string())
    }
}

/// What came of a charge. One that was never asked for is written down as over, so that it takes
/// nothing when it is asked for after all.
pub fn end_charge(cx: &mut Cx<'_>, cmd: &EndCharge) -> Result<Charged, SandboxError> {
    if let Some(known) = session_of(cx, &cmd.charge.payment.to_string())? {
        return came_of(cx, &known);
    }
    over(cx, &cmd.charge, (SessionState::Failed, CHARGE_ENDED))?;
    Ok(declined(CHARGE_ENDED))
}

/// What came of a charge that is over.
fn came_of(cx: &mut Cx<'_>, known: &StoredSession) -> Result<Charged, SandboxError> {
    Ok(match known.state {
        SessionState::Succeeded => succeeded(known.amount),
        _ if known.card == CHARGE_ENDED => declined(CHARGE_ENDED),
        _ => failure(cx, &known.card)?.map_or(Charged::Declined("card_declined"), declined),
    })
}

fn succeeded(amount: Money) -> Charged {
    let fee = Money::new(magic::fee(amount), amount.currency());
    Charged::Succeeded { fee: Some(fee) }
}

fn declined(code: &'static str) -> Charged {
    match crate::gateways::is_hard(code) {
        true => Charged::Refused(code),
        false => Charged::Declined(code),
    }
}

/// Why a charge of that method fails. A payment's id, or a setup's, names the card that was left there,
/// if whoever left it was told that it is kept.
fn failure(cx: &mut Cx<'_>, method: &str) -> Result<Option<&'static str>, SandboxError> {
    if let Some((_, failure)) = METHODS.iter().find(|(name, _)| *name == method) {
        return Ok(*failure);
    }
    let kept = |found: &StoredSession| found.kept && found.state == SessionState::Succeeded;
    Ok(match session_of(cx, method)?.filter(kept) {
        None => Some("method_unknown"),
        Some(found) => Choice::declined_of(&found.card),
    })
}

fn session_of(cx: &mut Cx<'_>, key: &str) -> Result<Option<StoredSession>, SandboxError> {
    let tenant = cx.caller.tenant;
    match sql::find_by_key(cx.tx, tenant, key)? {
        Some(session) => Ok(sql::find(cx.tx, tenant, &session)?),
        None => Ok(None),
    }
}
