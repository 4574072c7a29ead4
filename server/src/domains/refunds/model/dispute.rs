//! A bank's question about a payment, and the rule that moves it. Pure.

use mintreu::id::{DisputeId, InvoiceId, OrderId, PaymentId};
use mintreu::{Money, Timestamp};

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeState {
    /// The bank suspects a fraud (an early fraud warning); no money moved.
    Warning,
    /// The bank asks; no money moved.
    Inquiry,
    /// The bank took the money and hasn't decided.
    Chargeback,
    /// The money is back, or was never taken.
    Won,
    /// The money stays with the buyer.
    Lost,
    /// The payment that was warned of was refunded in full.
    Prevented,
}

impl DisputeState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Warning,
        Self::Inquiry,
        Self::Chargeback,
        Self::Won,
        Self::Lost,
        Self::Prevented,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Inquiry => "inquiry",
            Self::Chargeback => "chargeback",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Prevented => "prevented",
        }
    }

    /// Reads what [`DisputeState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether the bank has the money.
    pub const fn has_money(self) -> bool {
        matches!(self, Self::Chargeback | Self::Lost)
    }

    /// Whether the bank hasn't decided: nothing may be refunded meanwhile.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Inquiry | Self::Chargeback)
    }
}

/// What a bank has of an order's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It took it and hasn't decided.
    Undecided,
    /// It keeps it.
    Lost,
}

/// What can happen to a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeEvent {
    /// The bank suspects.
    Warned,
    /// The bank asks.
    Inquired,
    /// The bank takes the money.
    Opened,
    /// The bank gives it back.
    Won,
    /// The bank keeps it.
    Lost,
    /// All of the payment was refunded.
    Refunded,
}

impl DisputeEvent {
    /// Every event.
    pub const ALL: [Self; 6] = [
        Self::Warned,
        Self::Inquired,
        Self::Opened,
        Self::Won,
        Self::Lost,
        Self::Refunded,
    ];
}

/// What `event` makes of a dispute in `current` (`None`: nobody told of it yet); `None` is no
/// change. A bank may think again after a decision; an opening never undoes one.
///
/// | state \ event | warned | inquired | opened | won | lost | refunded |
/// |---|---|---|---|---|---|---|
/// | unknown | warning | inquiry | chargeback | won | lost | – |
/// | warning | – | inquiry | chargeback | won | lost | prevented |
/// | inquiry | – | – | chargeback | won | lost | – |
/// | chargeback | – | – | – | won | lost | – |
/// | won | – | – | – | – | lost | – |
/// | lost | – | – | – | won | – | – |
/// | prevented | – | inquiry | chargeback | won | lost | – |
pub const fn next_state(
    current: Option<DisputeState>,
    event: DisputeEvent,
) -> Option<DisputeState> {
    use DisputeEvent as E;
    use DisputeState as S;
    match (current, event) {
        (None, E::Warned) => Some(S::Warning),
        (None | Some(S::Warning | S::Prevented), E::Inquired) => Some(S::Inquiry),
        (None | Some(S::Warning | S::Inquiry | S::Prevented), E::Opened) => Some(S::Chargeback),
        (Some(S::Won), E::Won) | (Some(S::Lost), E::Lost) => None,
        (_, E::Won) => Some(S::Won),
        (_, E::Lost) => Some(S::Lost),
        (Some(S::Warning), E::Refunded) => Some(S::Prevented),
        _ => None,
    }
}

/// What a payment paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaidFor {
    /// An order.
    Order(OrderId),
    /// An invoice of usage.
    Invoice(InvoiceId),
}

impl PaidFor {
    /// The order, if it is one.
    pub const fn order(self) -> Option<OrderId> {
        match self {
            Self::Order(order) => Some(order),
            Self::Invoice(_) => None,
        }
    }

    /// The invoice of usage, if it is one.
    pub const fn invoice(self) -> Option<InvoiceId> {
        match self {
            Self::Order(_) => None,
            Self::Invoice(invoice) => Some(invoice),
        }
    }
}

impl std::fmt::Display for PaidFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Order(order) => order.fmt(f),
            Self::Invoice(invoice) => invoice.fmt(f),
        }
    }
}

/// A bank's question about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The dispute.
    pub id: DisputeId,
    /// About what was paid for.
    pub of: PaidFor,
    /// About which payment.
    pub payment: PaymentId,
    /// Who tells of it.
    pub provider: String,
    /// The provider's name of it.
    pub provider_dispute: String,
    /// How much it is about.
    pub amount: Money,
    /// Where it stands.
    pub state: DisputeState,
    /// Why the bank asks: `fraudulent`.
    pub reason: Option<String>,
    /// How often money was taken for it.
    pub rounds: i64,
    /// Until when the bank waits for an answer, when its provider says so.
    pub evidence_due_at: Option<Timestamp>,
    /// When the newest event that was believed happened.
    pub told_at: Timestamp,
    /// When it was first heard of.
    pub opened_at: Timestamp,
    /// When it was decided.
    pub closed_at: Option<Timestamp>,
}

impl Dispute {
    /// What its takings are kept and posted under.
    pub fn cause(&self) -> String {
        format!("{}:{}", self.id, self.rounds)
    }

    /// Whether a taking of that cause is its own, in any of its rounds.
    pub fn took(&self, cause: &str) -> bool {
        let round = cause.strip_prefix(&self.id.to_string());
        round.is_some_and(|round| round.starts_with(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_disputes_holds_cell_by_cell() {
        let table = [
            ("", ["warning", "inquiry", "chargeback", "won", "lost", ""]),
            (
                "warning",
                ["", "inquiry", "chargeback", "won", "lost", "prevented"],
            ),
            ("inquiry", ["", "", "chargeback", "won", "lost", ""]),
            ("chargeback", ["", "", "", "won", "lost", ""]),
            ("won", ["", "", "", "", "lost", ""]),
            ("lost", ["", "", "", "won", "", ""]),
            (
                "prevented",
                ["", "inquiry", "chargeback", "won", "lost", ""],
            ),
        ];
        assert_eq!(table.len(), DisputeState::ALL.len() + 1);
        for (state, row) in table {
            for (event, expected) in DisputeEvent::ALL.into_iter().zip(row) {
                let next = next_state(DisputeState::parse(state), event);
                assert_eq!(next, DisputeState::parse(expected), "{state:?} {event:?}");
            }
        }
    }
}
