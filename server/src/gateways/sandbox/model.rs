//! What the sandbox's page offers and what follows from each choice. Pure.

use crate::gateways::KeptMethod;
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

/// How long a slow provider needs until it tells of a payment, in milliseconds.
pub const SLOW_MS: i64 = 60_000;

/// What the buyer does on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The card that pays.
    Succeed,
    /// The card that is declined, and nobody says why.
    Decline,
    /// Declined for want of money.
    InsufficientFunds,
    /// Declined by the bank, which may think better of it.
    DoNotHonor,
    /// Declined because something went wrong on the way.
    ProcessingError,
    /// Declined for good: lost.
    LostCard,
    /// Declined for good: stolen.
    StolenCard,
    /// Declined for good: expired.
    ExpiredCard,
    /// The card whose bank wants a proof (3-D Secure).
    Challenge,
    /// The card that pays, and the shop hears of it late.
    Delayed,
    /// The card that pays, and the shop hears of it after a minute.
    Slow,
    /// The card that pays, and the shop hears of it three times.
    Duplicate,
    /// The card that pays, and the shop hears of it before it hears of the proof that was asked.
    Reordered,
    /// The card that pays, and the shop hears nothing until somebody sends the webhook again.
    Lost,
    /// The card that pays and whose refunds come back a moment after they succeeded.
    RefundFails,
    /// The card that pays and whose owner's bank takes the money back.
    Disputed,
    /// The card that pays and whose owner's bank asks about it.
    Inquired,
    /// The card that pays and whose bank suspects a fraud.
    Warned,
    /// The proof is given.
    Confirm,
    /// The proof is refused.
    Reject,
}

impl Choice {
    /// The cards of the first page, in the order shown, with the number printed on each.
    pub const CARDS: [(Self, &'static str); 18] = [
        (Self::Succeed, "4242 4242 4242 4242"),
        (Self::Challenge, "4000 0000 0000 3220"),
        (Self::Decline, "4000 0000 0000 0002"),
        (Self::InsufficientFunds, "4000 0000 0000 9995"),
        (Self::DoNotHonor, "4000 0000 0000 0101"),
        (Self::ProcessingError, "4000 0000 0000 0119"),
        (Self::LostCard, "4000 0000 0000 9987"),
        (Self::StolenCard, "4000 0000 0000 9979"),
        (Self::ExpiredCard, "4000 0000 0000 0069"),
        (Self::Delayed, "4000 0000 0000 0077"),
        (Self::Slow, "4000 0000 0000 0085"),
        (Self::Duplicate, "4000 0000 0000 0341"),
        (Self::Reordered, "4000 0000 0000 0358"),
        (Self::Lost, "4000 0000 0000 0366"),
        (Self::RefundFails, "4000 0000 0000 5126"),
        (Self::Disputed, "4000 0000 0000 0259"),
        (Self::Inquired, "4000 0000 0000 1976"),
        (Self::Warned, "4000 0000 0000 5423"),
    ];

    /// The value of its form field, and how the card is kept with its session.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Succeed => "succeed",
            Self::Decline => "decline",
            Self::InsufficientFunds => "insufficient_funds",
            Self::DoNotHonor => "do_not_honor",
            Self::ProcessingError => "processing_error",
            Self::LostCard => "lost_card",
            Self::StolenCard => "stolen_card",
            Self::ExpiredCard => "expired_card",
            Self::Challenge => "challenge",
            Self::Delayed => "delayed",
            Self::Slow => "slow",
            Self::Duplicate => "duplicate",
            Self::Reordered => "reordered",
            Self::Lost => "lost",
            Self::RefundFails => "refund_fails",
            Self::Disputed => "disputed",
            Self::Inquired => "inquired",
            Self::Warned => "warned",
            Self::Confirm => "confirm",
            Self::Reject => "reject",
        }
    }

    /// Why a card that is kept with its session is declined, if it is.
    pub fn declined_of(code: &str) -> Option<&'static str> {
        let mut cards = Self::CARDS.iter();
        let card = cards.find(|(card, _)| card.code() == code);
        card.and_then(|(card, _)| card.declined())
    }

    /// Why the card is declined, if it is.
    const fn declined(self) -> Option<&'static str> {
        match self {
            Self::Decline => Some("card_declined"),
            Self::InsufficientFunds
            | Self::DoNotHonor
            | Self::ProcessingError
            | Self::LostCard
            | Self::StolenCard
            | Self::ExpiredCard => Some(self.code()),
            _ => None,
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
    /// The buyer has the money back.
    #[serde(rename = "refund.succeeded")]
    RefundSucceeded,
    /// The buyer doesn't.
    #[serde(rename = "refund.failed")]
    RefundFailed,
    /// The bank suspects a fraud.
    #[serde(rename = "dispute.warned")]
    DisputeWarned,
    /// The bank asks.
    #[serde(rename = "dispute.inquired")]
    DisputeInquired,
    /// The bank took the money.
    #[serde(rename = "dispute.opened")]
    DisputeOpened,
    /// The bank gave it back.
    #[serde(rename = "dispute.won")]
    DisputeWon,
    /// The bank keeps it.
    #[serde(rename = "dispute.lost")]
    DisputeLost,
    /// A method is kept, without a payment.
    #[serde(rename = "method.kept")]
    MethodKept,
    /// A method isn't kept.
    #[serde(rename = "method.refused")]
    MethodRefused,
    /// Something a later version tells: kept, not acted on.
    #[serde(other)]
    Unknown,
}

/// A method that is kept, in the body of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBody {
    /// What it is charged by.
    pub name: String,
    /// As its owner knows it.
    pub label: String,
    /// The last month it can be charged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

impl From<KeptBody> for KeptMethod {
    fn from(body: KeptBody) -> Self {
        Self {
            name: body.name,
            label: body.label,
            expires: body.expires,
        }
    }
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The shop's name of the payment.
    pub reference: String,
    /// The refund or dispute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The shop's name of the refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_reference: Option<String>,
    /// How much.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// What it took for a payment, in the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_minor: Option<i64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// The country of the card that paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method_country: Option<String>,
    /// The method that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<KeptBody>,
    /// Until when the bank of a dispute waits for an answer, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_due_at: Option<i64>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// What a choice leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Where the session goes.
    pub state: SessionState,
    /// Why it failed.
    pub failure_code: Option<&'static str>,
    /// What the shop is told, and how late each delivery is, in milliseconds.
    pub events: &'static [(EventType, &'static [i64])],
}

const NOW: &[i64] = &[0];
const LATER: &[i64] = &[DELAY_MS];
const SLOWLY: &[i64] = &[SLOW_MS];
const OFTEN: &[i64] = &[0; REPEATS];
const NEVER: &[i64] = &[];

const fn paid(events: &'static [(EventType, &'static [i64])]) -> Outcome {
    Outcome {
        state: SessionState::Succeeded,
        failure_code: None,
        events,
    }
}

const fn failed(code: &'static str) -> Outcome {
    Outcome {
        state: SessionState::Failed,
        failure_code: Some(code),
        events: &[(EventType::Failed, NOW)],
    }
}

/// What follows from a choice; `None` when it isn't offered in that state.
pub const fn outcome(state: SessionState, choice: Choice) -> Option<Outcome> {
    match (state, choice) {
        (SessionState::Challenge, Choice::Confirm) => Some(paid(&[(EventType::Succeeded, NOW)])),
        (SessionState::Challenge, Choice::Reject) => Some(failed("authentication_failed")),
        (SessionState::Open, card) => of_card(card),
        _ => None,
    }
}

const fn of_card(card: Choice) -> Option<Outcome> {
    if let Some(code) = card.declined() {
        return Some(failed(code));
    }
    Some(match card {
        Choice::Challenge => Outcome {
            state: SessionState::Challenge,
            failure_code: None,
            events: &[(EventType::ActionRequired, NOW)],
        },
        Choice::Delayed => paid(&[(EventType::Succeeded, LATER)]),
        Choice::Slow => paid(&[(EventType::Succeeded, SLOWLY)]),
        Choice::Duplicate => paid(&[(EventType::Succeeded, OFTEN)]),
        Choice::Reordered => paid(&[
            (EventType::ActionRequired, LATER),
            (EventType::Succeeded, NOW),
        ]),
        Choice::Lost => paid(&[(EventType::Succeeded, NEVER)]),
        Choice::Confirm | Choice::Reject => return None,
        _ => paid(&[(EventType::Succeeded, NOW)]),
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
            session: Some("sbx_1".to_owned()),
            reference: "pay_1".to_owned(),
            object: None,
            object_reference: None,
            amount_minor: 4_900,
            currency: "EUR".to_owned(),
            fee_minor: None,
            failure_code: Some("card_declined".to_owned()),
            method_country: Some("FR".to_owned()),
            method: None,
            evidence_due_at: None,
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
