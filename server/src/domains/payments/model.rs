//! A payment, what a provider can say about it, and the rule that joins them. Pure.

use crate::caller::Denied;
use crate::gateways::KeptMethod;
pub use crate::gateways::{EventKind, ProviderEvent};
use crate::store::StoreError;
use mintreu::id::{AccountId, PaymentEventId, PaymentId};
use mintreu::{Money, Timestamp};

/// What is to be paid for, as its owner names it: an order's id, an invoice's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payable(String);

impl Payable {
    /// Names what is to be paid for by its id.
    pub fn new(id: impl ToString) -> Self {
        Self(id.to_string())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentState {
    /// Asked for; nothing heard yet.
    Expected,
    /// The buyer must prove who they are (3-D Secure).
    ActionRequired,
    /// The money is ours.
    Succeeded,
    /// Declined or given up; another attempt may follow.
    Failed,
}

impl PaymentState {
    /// Every state.
    pub const ALL: [Self; 4] = [
        Self::Expected,
        Self::ActionRequired,
        Self::Succeeded,
        Self::Failed,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::ActionRequired => "action_required",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`PaymentState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// What becomes of the method that pays (a card, an account).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodUse {
    /// It pays on the provider's page, once.
    Once,
    /// It pays on the provider's page, which says that it is kept to be charged again.
    Setup,
    /// It was kept before, and is charged while nobody is there.
    Saved,
}

impl MethodUse {
    /// Every use.
    pub const ALL: [Self; 3] = [Self::Once, Self::Setup, Self::Saved];

    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Setup => "setup",
            Self::Saved => "saved",
        }
    }

    /// Reads what [`MethodUse::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|used| used.code() == code)
    }
}

/// One attempt to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The attempt.
    pub id: PaymentId,
    /// What for.
    pub payable: String,
    /// From 1.
    pub attempt: i64,
    /// Whose page takes the money: `sandbox`.
    pub provider: String,
    /// Where it stands.
    pub state: PaymentState,
    /// How much.
    pub amount: Money,
    /// What becomes of the method that pays.
    pub method_use: MethodUse,
    /// Who was led to the page; `None` for a guest, and when nobody was.
    pub begun_by: Option<AccountId>,
    /// The provider's own name of it, once it has one.
    pub provider_session: Option<String>,
    /// Where the buyer pays, once it is known.
    pub page_url: Option<String>,
    /// Why it failed: `card_declined`.
    pub failure_code: Option<String>,
}

impl Payment {
    /// Whether something can still come of it.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            PaymentState::Expected | PaymentState::ActionRequired
        )
    }

    /// Whether a saved method is being charged for it, so that nobody else may pay meanwhile.
    pub fn is_charging(&self) -> bool {
        self.is_open() && self.method_use == MethodUse::Saved
    }
}

/// An event in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentEvent {
    /// The row.
    pub id: PaymentEventId,
    /// What it means.
    pub kind: EventKind,
    /// Who sent it: `sandbox`.
    pub provider: String,
    /// What it speaks of, by our name: a payment's id, or a payout's.
    pub reference: String,
    /// The refund, dispute or payout it speaks of, by the provider's name.
    pub object: Option<String>,
    /// The same by our name, when we asked for it.
    pub object_reference: Option<String>,
    /// When it happened at the provider.
    pub occurred_at: Timestamp,
    /// How much it speaks of.
    pub amount: Money,
    /// What the provider took for the payment, when it said so.
    pub fee: Option<Money>,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// The country of what was paid with, when the provider knows it.
    pub method_country: Option<String>,
    /// The method that is kept, when this says so.
    pub method: Option<KeptMethod>,
    /// Until when the bank of a dispute waits for an answer, when the provider says so.
    pub evidence_due_at: Option<Timestamp>,
    /// What was made of it; `None` until its job has run.
    pub outcome: Option<String>,
}

/// Why a payment could not go on.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// No such payment or event in this tenant.
    #[error("no such payment")]
    NotFound,
    /// An earlier attempt is still open or was paid.
    #[error("the last attempt has not failed")]
    AttemptOpen,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an event does to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It moves there.
    Moved(PaymentState),
    /// Known already, or overtaken: nothing changes.
    Unchanged,
    /// It speaks of another amount: nothing changes, and somebody must look.
    AmountDiffers,
}

/// What `event` makes of a payment: total, and safe against repeats and reordering.
///
/// | state \ event | action_required | succeeded | failed | other |
/// |---|---|---|---|---|
/// | expected | action_required | succeeded | failed | – |
/// | action_required | – | succeeded | failed | – |
/// | succeeded | – | – | – | – |
/// | failed | – | succeeded | – | – |
pub fn settle_payment(payment: &Payment, kind: EventKind, amount: Money) -> Settled {
    use PaymentState::{ActionRequired, Expected, Failed, Succeeded};
    let next = match (payment.state, kind) {
        (Expected, EventKind::ActionRequired) => ActionRequired,
        (Expected | ActionRequired | Failed, EventKind::Succeeded) => Succeeded,
        (Expected | ActionRequired, EventKind::Failed) => Failed,
        // Refunds, disputes and payouts have states of their own.
        _ => return Settled::Unchanged,
    };
    if next == Succeeded && payment.amount != amount {
        return Settled::AmountDiffers;
    }
    Settled::Moved(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintreu::Currency;

    fn payment(state: PaymentState) -> Payment {
        Payment {
            id: PaymentId::from_bytes([1; 16]),
            payable: "ord_x".to_owned(),
            attempt: 1,
            provider: "sandbox".to_owned(),
            state,
            amount: Money::new(4_900, Currency::EUR),
            method_use: MethodUse::Once,
            begun_by: None,
            provider_session: None,
            page_url: None,
            failure_code: None,
        }
    }

    #[test]
    fn the_table_holds_cell_by_cell() {
        use PaymentState::{ActionRequired, Expected, Failed, Succeeded};
        // Columns: action_required, succeeded, failed, other.
        let table = [
            (
                Expected,
                [Some(ActionRequired), Some(Succeeded), Some(Failed), None],
            ),
            (ActionRequired, [None, Some(Succeeded), Some(Failed), None]),
            (Succeeded, [None; 4]),
            (Failed, [None, Some(Succeeded), None, None]),
        ];
        for (state, row) in table {
            for (kind, expected) in EventKind::ALL.into_iter().zip(row) {
                let given = payment(state);
                let expected = expected.map_or(Settled::Unchanged, Settled::Moved);
                let amount = given.amount;
                assert_eq!(
                    settle_payment(&given, kind, amount),
                    expected,
                    "{state:?} {kind:?}"
                );
            }
            for kind in EventKind::ALL.into_iter().skip(row.len()) {
                let given = payment(state);
                let amount = given.amount;
                assert_eq!(settle_payment(&given, kind, amount), Settled::Unchanged);
            }
        }
    }

    #[test]
    fn another_amount_never_pays() {
        let less = Money::new(4_899, Currency::EUR);
        let settled = settle_payment(&payment(PaymentState::Expected), EventKind::Succeeded, less);
        assert_eq!(settled, Settled::AmountDiffers);
    }

    #[test]
    fn codes_read_back() {
        for state in PaymentState::ALL {
            assert_eq!(PaymentState::parse(state.code()), Some(state));
        }
        for used in MethodUse::ALL {
            assert_eq!(MethodUse::parse(used.code()), Some(used));
        }
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.code()), Some(kind));
        }
    }
}
