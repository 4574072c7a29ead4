//! An answer for a bank, its states, and what can be refused. Pure.

use crate::caller::Denied;
use crate::domains::invoicing::InvoiceError;
use crate::domains::licensing::LicensingError;
use crate::domains::refunds::{DisputeState, RefundError};
use crate::gateways::Evidence;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{AccountId, DisputeId};
use serde::{Deserialize, Serialize};

/// Longest text of an answer, in characters.
pub const MAX_TEXT: usize = 5_000;

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerState {
    /// It can be written.
    Draft,
    /// Handed in; the provider hasn't taken it yet.
    Sending,
    /// The provider took it.
    Sent,
    /// The dispute is given up; the provider hasn't heard yet.
    Accepting,
    /// The provider heard that it is given up.
    Accepted,
    /// The provider took neither: too late, mostly.
    Refused,
}

impl AnswerState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Draft,
        Self::Sending,
        Self::Sent,
        Self::Accepting,
        Self::Accepted,
        Self::Refused,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Accepting => "accepting",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        }
    }

    /// Reads what [`AnswerState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether nobody answered yet, so that time matters.
    pub const fn is_awaited(self) -> bool {
        matches!(self, Self::Draft)
    }

    /// What the provider's word makes of it; `None` for what it has no word on.
    pub const fn settled(self, taken: bool) -> Option<Self> {
        match (self, taken) {
            (Self::Sending, true) => Some(Self::Sent),
            (Self::Accepting, true) => Some(Self::Accepted),
            (Self::Sending | Self::Accepting, false) => Some(Self::Refused),
            _ => None,
        }
    }
}

/// What only a person knows. Each may be empty, and has at most [`MAX_TEXT`] characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// What was sold.
    pub product_description: String,
    /// What the buyer was told of refunds.
    pub refund_policy: String,
    /// What the buyer wrote and was answered.
    pub customer_communication: String,
    /// Why the sale was right.
    pub statement: String,
}

impl Texts {
    /// As they are kept: without space around, and not too long.
    pub fn checked(&self) -> Result<Self, AnswerError> {
        let check = |field: &'static str, text: &str| {
            let text = text.trim();
            match text.chars().count() <= MAX_TEXT && !text.contains('\0') {
                true => Ok(text.to_owned()),
                false => Err(AnswerError::Text(field)),
            }
        };
        Ok(Self {
            product_description: check("product_description", &self.product_description)?,
            refund_policy: check("refund_policy", &self.refund_policy)?,
            customer_communication: check("customer_communication", &self.customer_communication)?,
            statement: check("statement", &self.statement)?,
        })
    }
}

/// Something that the house knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What it is about: one of [`Known::ABOUT`].
    pub about: String,
    /// In English, a fact a line.
    pub text: String,
}

impl Known {
    /// What is known about, in the order of the page.
    pub const ABOUT: [&'static str; 7] = [
        "order", "products", "papers", "agreed", "licenses", "activity", "refunds",
    ];
}

/// What a bank is told at one stage of a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Of which dispute.
    pub dispute: DisputeId,
    /// At which stage: an inquiry or a chargeback.
    pub stage: DisputeState,
    /// Where it stands.
    pub state: AnswerState,
    /// What a person wrote.
    pub texts: Texts,
    /// What the house knew when it was handed in; nothing before.
    pub gathered: Vec<Known>,
    /// Whether the house handed it in, since nobody did.
    pub by_default: bool,
    /// Who handed it in.
    pub answered_by: Option<AccountId>,
    /// Why the provider refused.
    pub failure_code: Option<String>,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it was handed in, or the dispute given up.
    pub answered_at: Option<Timestamp>,
    /// When the provider took or refused it.
    pub settled_at: Option<Timestamp>,
}

impl Answer {
    /// A new draft that says nothing yet.
    pub fn draft(dispute: DisputeId, stage: DisputeState, now: Timestamp) -> Self {
        Self {
            dispute,
            stage,
            state: AnswerState::Draft,
            texts: Texts::default(),
            gathered: Vec::new(),
            by_default: false,
            answered_by: None,
            failure_code: None,
            opened_at: now,
            answered_at: None,
            settled_at: None,
        }
    }

    /// The provider's idempotency key of it.
    pub fn key(&self) -> String {
        format!("{}:{}", self.dispute, self.stage.code())
    }

    /// As a provider takes it; `to` is where the receipt went, `supplied` the day of the sale.
    pub fn evidence(&self, supplied: String, to: Option<String>) -> Evidence {
        let known = |about: &[&str]| {
            let found = self.gathered.iter();
            let found = found.filter(|one| about.contains(&one.about.as_str()));
            found.map(|one| one.text.as_str()).collect::<Vec<_>>()
        };
        let with = |text: &str, about: &[&str]| {
            let said = Some(text).filter(|text| !text.is_empty());
            let parts: Vec<_> = said.into_iter().chain(known(about)).collect();
            parts.join("\n")
        };
        Evidence {
            product_description: with(&self.texts.product_description, &["products"]),
            service_date: supplied,
            access_activity_log: with("", &["licenses", "activity"]),
            receipt: with("", &["order", "papers"]),
            refund_policy_disclosure: with(&self.texts.refund_policy, &["agreed"]),
            customer_communication: self.texts.customer_communication.clone(),
            customer_email_address: to.unwrap_or_default(),
            uncategorized_text: with(&self.texts.statement, &["refunds"]),
        }
    }
}

/// Why a bank wasn't answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// No such dispute, or none of the caller's.
    #[error("no such dispute")]
    NotFound,
    /// Several sellers share the order.
    #[error("the order is of several sellers; the platform answers")]
    NeedsPlatform,
    /// It was answered or given up before.
    #[error("the answer is {}: it changes no more", .0.code())]
    Given(AnswerState),
    /// The bank doesn't ask, or asks something else by now.
    #[error("the dispute is at {}: look at it again", .0.code())]
    Moved(DisputeState),
    /// The bank waits no more.
    #[error("the bank waited for an answer until {} (ms since 1970)", .0.ms())]
    Late(Timestamp),
    /// The text of that field is too long, or holds a NUL.
    #[error("a text of an answer has at most {MAX_TEXT} characters")]
    Text(&'static str),
    /// What became of the money.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// Papers.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    /// Licenses.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AnswerError> for JobError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Store(error)
            | AnswerError::Refund(RefundError::Store(error))
            | AnswerError::Invoice(InvoiceError::Store(error))
            | AnswerError::Licensing(LicensingError::Store(error)) => Self::retry(error),
            other => Self::fail(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let now = Timestamp::from_ms(1);
        Answer::draft(DisputeId::from_bytes([1; 16]), DisputeState::Inquiry, now)
    }

    #[test]
    fn codes_read_back_and_only_what_is_under_way_is_settled() {
        for state in AnswerState::ALL {
            assert_eq!(AnswerState::parse(state.code()), Some(state));
            let under_way = matches!(state, AnswerState::Sending | AnswerState::Accepting);
            for taken in [true, false] {
                assert_eq!(state.settled(taken).is_some(), under_way, "{state:?}");
            }
        }
    }

    #[test]
    fn a_text_is_trimmed_and_neither_too_long_nor_broken() {
        let texts = |statement: &str| Texts {
            statement: statement.to_owned(),
            ..Texts::default()
        };
        let long = "ä".repeat(MAX_TEXT);
        assert!(texts(&long).checked().is_ok());
        assert_eq!(texts("  a \n").checked().unwrap(), texts("a"));
        for broken in [format!("{long}ä"), "a\0b".to_owned()] {
            let refused = texts(&broken).checked();
            assert!(matches!(refused, Err(AnswerError::Text("statement"))));
        }
    }

    #[test]
    fn what_is_known_stands_behind_what_was_written() {
        let mut answer = answer();
        answer.texts.refund_policy = "Fourteen days.".to_owned();
        let known = |about: &str| Known {
            about: about.to_owned(),
            text: format!("of {about}"),
        };
        answer.gathered = Known::ABOUT.map(known).into();
        let told = answer.evidence("2026-11-26".to_owned(), None);
        assert_eq!(told.refund_policy_disclosure, "Fourteen days.\nof agreed");
        assert_eq!(told.access_activity_log, "of licenses\nof activity");
        assert_eq!(told.receipt, "of order\nof papers");
        assert_eq!(told.product_description, "of products");
        assert_eq!(told.uncategorized_text, "of refunds");
        assert_eq!(told.customer_email_address, "");
    }
}
