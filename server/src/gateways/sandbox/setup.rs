//! Methods that are left without paying: a page like that of a payment, of no money.
//!
//! A card that would be declined for good when it pays is kept all the same, and declined when it is
//! charged; so what follows from a card that goes bad can be tried.

use super::model::{Choice, EventType, KeptBody, Outcome, SessionState, outcome};
use super::ops::{SandboxError, sealed};
use super::sql::{self, StoredSession};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::gateways::SetupRequest;
use mintreu::id::MethodSetupId;
use mintreu::{Currency, Money};

/// Opens a page where a method is left.
#[derive(Debug, Clone)]
pub struct OpenSetup {
    /// What the shop asked for.
    pub request: SetupRequest,
}

impl Command for OpenSetup {
    const NAME: &'static str = "sandbox.open_setup";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.request.setup.to_string())
    }
}

/// Opens a page for the setup, or answers the one it has.
pub fn open_setup(cx: &mut Cx<'_>, cmd: &OpenSetup) -> Result<String, SandboxError> {
    let (tenant, key) = (cx.caller.tenant, cmd.request.setup.to_string());
    if let Some(session) = sql::find_by_key(cx.tx, tenant, &key)? {
        return Ok(session);
    }
    let new = StoredSession {
        session: format!("sbx_{}", mintreu::id::encode(&cx.random())),
        reference: key,
        description: String::new(),
        amount: Money::zero(Currency::EUR),
        return_url: sealed(cx, &cmd.request.return_url),
        state: SessionState::Open,
        card: String::new(),
        card_country: String::new(),
        strong: false,
        kept: true,
    };
    sql::insert_session(cx.tx, tenant, &new, cx.now)?;
    Ok(new.session)
}

/// Forgets a method.
#[derive(Debug, Clone)]
pub struct ForgetMethod {
    /// Its name: the payment's or the setup's that it was kept with.
    pub method: String,
}

impl Command for ForgetMethod {
    const NAME: &'static str = "sandbox.forget_method";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.method.clone())
    }
}

/// Forgets it: charges of it are refused as `method_unknown`.
pub fn forget_method(cx: &mut Cx<'_>, cmd: &ForgetMethod) -> Result<(), SandboxError> {
    Ok(sql::forget(cx.tx, cx.caller.tenant, &cmd.method, cx.now)?)
}

/// Whether the page is one where a method is left.
pub fn is_setup(session: &StoredSession) -> bool {
    MethodSetupId::parse(&session.reference).is_ok()
}

const KEPT: Outcome = Outcome {
    state: SessionState::Succeeded,
    failure_code: None,
    events: &[(EventType::MethodKept, &[0])],
};

/// The cards of a page where a method is left.
pub const CARDS: [Choice; 7] = [
    Choice::Succeed,
    Choice::Challenge,
    Choice::Decline,
    Choice::InsufficientFunds,
    Choice::DoNotHonor,
    Choice::LostCard,
    Choice::ExpiredCard,
];

/// As [`outcome`], where a method is left.
pub fn setup_outcome(state: SessionState, choice: Choice) -> Option<Outcome> {
    match (state, choice) {
        (SessionState::Challenge, Choice::Confirm) => Some(KEPT),
        (SessionState::Open, Choice::Challenge) => Some(Outcome {
            events: &[],
            ..outcome(state, choice)?
        }),
        (SessionState::Open, Choice::Decline) | (SessionState::Challenge, Choice::Reject) => {
            Some(Outcome {
                events: &[(EventType::MethodRefused, &[0])],
                ..outcome(state, choice)?
            })
        }
        (SessionState::Open, card) if CARDS.contains(&card) => Some(KEPT),
        _ => None,
    }
}

/// What the shop hears of a method that is kept.
pub fn kept(session: &StoredSession) -> Option<KeptBody> {
    if !session.kept || session.state != SessionState::Succeeded {
        return None;
    }
    let card = Choice::CARDS
        .iter()
        .find(|(choice, _)| choice.code() == session.card);
    let (choice, number) = card?;
    let expires = match choice {
        Choice::ExpiredCard => "2024-01",
        _ => "2034-12",
    };
    let last = number.rsplit(' ').next().unwrap_or_default();
    Some(KeptBody {
        name: session.reference.clone(),
        label: format!("Visa •••• {last}"),
        expires: Some(expires.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_kept_refused_or_asks_for_a_proof_first() {
        let told = |state, choice| {
            let outcome = setup_outcome(state, choice)?;
            Some((outcome.state, outcome.events.first().map(|(kind, _)| *kind)))
        };
        let (open, challenge) = (SessionState::Open, SessionState::Challenge);
        let kept = Some((SessionState::Succeeded, Some(EventType::MethodKept)));
        let refused = Some((SessionState::Failed, Some(EventType::MethodRefused)));
        assert_eq!(told(open, Choice::Succeed), kept);
        assert_eq!(
            told(open, Choice::LostCard),
            kept,
            "it is declined when it is charged"
        );
        assert_eq!(told(open, Choice::Decline), refused);
        assert_eq!(told(open, Choice::Challenge), Some((challenge, None)));
        assert_eq!(told(challenge, Choice::Confirm), kept);
        assert_eq!(told(challenge, Choice::Reject), refused);
        for never in [Choice::Disputed, Choice::Lost, Choice::Confirm] {
            assert_eq!(told(open, never), None);
        }
        assert_eq!(told(SessionState::Succeeded, Choice::Succeed), None);
    }
}
