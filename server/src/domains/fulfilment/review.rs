//! What the owner decides of an order whose money waits for a look.

use super::model::FulfilmentError;
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::refunds::{self, AskRefund, Reason, RefundOrder, refund_order};
use crate::domains::risk::{self, ReviewState, RiskError};
use crate::domains::{affiliates, ledger, orders};
use mintreu::id::OrderId;

/// Lets an order's money go, or gives it back to who paid.
#[derive(Debug, Clone)]
pub struct DecideReview {
    /// Which order.
    pub order: OrderId,
    /// Whether the buyer gets the money back, as of a fraud.
    pub refund: bool,
    /// Why, at most 500 characters; may be empty.
    pub note: String,
}

impl Command for DecideReview {
    const NAME: &'static str = "fulfilment.decide_review";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.order.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.order.to_string()]
    }
}

/// See [`DecideReview`]. Either way the holds go on to their dates; the refund takes its money out of
/// them when the provider has sent it.
pub fn decide_review(cx: &mut Cx<'_>, cmd: &DecideReview) -> Result<(), FulfilmentError> {
    if cmd.note.chars().count() > 500 {
        return Err(RiskError::Note.into());
    }
    let state = match cmd.refund {
        true => ReviewState::Refunded,
        false => ReviewState::Released,
    };
    risk::close(cx, cmd.order, (state, &cmd.note))?;
    if cmd.refund {
        let wanted = AskRefund {
            order: cmd.order,
            line: None,
            amount_minor: None,
            reason: Reason::Fraud,
            note: String::new(),
            keeps_license: false,
            ends_subscription: true,
            seen_left_minor: None,
        };
        refund_order(cx, &RefundOrder(wanted))?;
    }
    thaw(cx, cmd.order)
}

/// Ends the freeze of every hold of the order, unless a bank asks about it.
fn thaw(cx: &mut Cx<'_>, order: OrderId) -> Result<(), FulfilmentError> {
    let order = orders::by_id(cx, order)?;
    let disputed = refunds::is_disputed(cx.tx, cx.caller.tenant, order.id)?;
    for line in &order.lines {
        let source = line.id.to_string();
        ledger::explain(cx, &source, risk::LET_GO)?;
        if !disputed {
            ledger::thaw(cx, &source)?;
            affiliates::thaw(cx, line.id)?;
        }
    }
    Ok(())
}
