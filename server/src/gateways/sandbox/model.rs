//! What the sandbox's page offers and what follows from each choice. Pure.

use serde::{Deserialize, Serialize};

/// How long the delayed webhook waits, in milliseconds.
pub const DELAY_MS: i64 = 5_000;
/// How often the repeated webhook is delivered.
pub const REPEATS: usize = 3;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// The buyer has not chosen.
    Open,
    /// The buyer must prove who they are.
    Challenge,
    /// Paid.
    Succeeded,
    /// Declined.
    Failed,
}

impl SessionState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Challenge, Self::Succeeded, Self::Failed];

    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Challenge => "challenge",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`SessionState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// What the buyer does on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The card that pays.
    Succeed,
    /// The card that is declined.
    Decline,
    /// The card whose bank wants a proof (3-D Secure).
    Challenge,
    /// The card that pays, and the shop hears of it late.
    Delayed,
    /// The card that pays, and the shop hears of it three times.
    Duplicate,
    /// The proof is given.
    Confirm,
    /// The proof is refused.
    Reject,
}

impl Choice {
    /// The cards of the first page, in the order shown, with the number printed on each.
    pub const CARDS: [(Self, &'static str); 5] = [
        (Self::Succeed, "4242 4242 4242 4242"),
        (Self::Challenge, "4000 0000 0000 3220"),
        (Self::Decline, "4000 0000 0000 0002"),
        (Self::Delayed, "4000 0000 0000 0077"),
        (Self::Duplicate, "4000 0000 0000 0341"),
    ];

    /// The value of its form field.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Succeed => "succeed",
            Self::Decline => "decline",
            Self::Challenge => "challenge",
            Self::Delayed => "delayed",
            Self::Duplicate => "duplicate",
            Self::Confirm => "confirm",
            Self::Reject => "reject",
        }
    }
}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    /// The buyer must prove who they are.
    #[serde(rename = "payment.action_required")]
    ActionRequired,
    /// Paid.
    #[serde(rename = "payment.succeeded")]
    Succeeded,
    /// Declined.
    #[serde(rename = "payment.failed")]
    Failed,
    /// Something a later version tells: kept, not acted on.
    #[serde(other)]
    Unknown,
}

/// The body of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBody {
    /// The same in every delivery.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// To which session.
    pub session: String,
    /// The shop's name of the payment.
    pub reference: String,
    /// How much.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// What a choice leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Where the session goes.
    pub state: SessionState,
    /// What the shop is told.
    pub event: EventType,
    /// Why it failed.
    pub failure_code: Option<&'static str>,
    /// How late each delivery is, in milliseconds.
    pub deliveries: &'static [i64],
}

const NOW: &[i64] = &[0];
const LATER: &[i64] = &[DELAY_MS];
const OFTEN: &[i64] = &[0; REPEATS];

/// What follows from a choice; `None` when it isn't offered in that state.
pub const fn outcome(state: SessionState, choice: Choice) -> Option<Outcome> {
    let (next, event, failure_code, deliveries) = match (state, choice) {
        (SessionState::Open, Choice::Succeed) | (SessionState::Challenge, Choice::Confirm) => {
            (SessionState::Succeeded, EventType::Succeeded, None, NOW)
        }
        (SessionState::Open, Choice::Delayed) => {
            (SessionState::Succeeded, EventType::Succeeded, None, LATER)
        }
        (SessionState::Open, Choice::Duplicate) => {
            (SessionState::Succeeded, EventType::Succeeded, None, OFTEN)
        }
        (SessionState::Open, Choice::Challenge) => (
            SessionState::Challenge,
            EventType::ActionRequired,
            None,
            NOW,
        ),
        (SessionState::Open, Choice::Decline) => (
            SessionState::Failed,
            EventType::Failed,
            Some("card_declined"),
            NOW,
        ),
        (SessionState::Challenge, Choice::Reject) => (
            SessionState::Failed,
            EventType::Failed,
            Some("authentication_failed"),
            NOW,
        ),
        _ => return None,
    };
    Some(Outcome {
        state: next,
        event,
        failure_code,
        deliveries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_offers_nothing() {
        let choices = Choice::CARDS.map(|(choice, _)| choice);
        for choice in choices.into_iter().chain([Choice::Confirm, Choice::Reject]) {
            assert_eq!(outcome(SessionState::Succeeded, choice), None);
            assert_eq!(outcome(SessionState::Failed, choice), None);
        }
    }

    #[test]
    fn a_challenge_is_answered_before_anything_else() {
        assert_eq!(outcome(SessionState::Challenge, Choice::Succeed), None);
        assert_eq!(outcome(SessionState::Open, Choice::Confirm), None);
        let rejected = outcome(SessionState::Challenge, Choice::Reject).expect("offered");
        assert_eq!(rejected.failure_code, Some("authentication_failed"));
    }

    #[test]
    fn an_event_s_body_comes_back() {
        let body = EventBody {
            id: "sev_1".to_owned(),
            kind: EventType::Failed,
            session: "sbx_1".to_owned(),
            reference: "pay_1".to_owned(),
            amount_minor: 4_900,
            currency: "EUR".to_owned(),
            failure_code: Some("card_declined".to_owned()),
            created_at: 1,
        };
        let text = serde_json::to_string(&body).expect("writes");
        assert!(text.contains(r#""type":"payment.failed""#), "{text}");
        assert_eq!(
            serde_json::from_str::<EventBody>(&text).expect("reads"),
            body
        );
        let later = text.replace("payment.failed", "payment.reviewed");
        let read = serde_json::from_str::<EventBody>(&later).expect("reads");
        assert_eq!(read.kind, EventType::Unknown);
    }
}
