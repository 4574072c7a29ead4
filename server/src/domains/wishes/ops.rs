//! Use cases of withdrawals: look, and declare.

use super::model::{Facts, OfLine, Standing, Withdrawal, WithdrawalError, WithdrawalView, ends_at};
use super::{WITHDRAWN_FACT, sql};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::fulfilment;
use crate::domains::orders::{self, Order};
use crate::domains::refunds::{self, RefundState};
use crate::domains::subscriptions;
use crate::store::{StoreError, Tx};
use mintreu::id::{OrderId, OrderLineId, RefundId, TenantId};
use mintreu::{Money, Timestamp};

/// Asks what can be withdrawn from.
#[derive(Clone)]
pub struct ViewWithdrawal {
    /// Of which order.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
}

/// The buyer of an order withdraws from it: the second step, which confirms.
#[derive(Clone)]
pub struct Withdraw {
    /// From which order.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
    /// From which line; `None` for every line that can be withdrawn from.
    pub line: Option<OrderLineId>,
}

impl Command for Withdraw {
    const NAME: &'static str = "wishes.withdraw";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.order.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.order.to_string()]
    }
}

/// What the order's buyer can withdraw from, and what they did.
pub fn view_withdrawal(
    cx: &mut ReadCx<'_>,
    query: &ViewWithdrawal,
) -> Result<WithdrawalView, WithdrawalError> {
    let order = orders::view(cx, query.order, query.token.as_deref())?;
    look(cx.tx, cx.caller.tenant, (&order, cx.now))
}

/// Declares the withdrawal, and has all that is left of those lines refunded. Saying it again answers
/// the same.
pub fn withdraw(cx: &mut Cx<'_>, cmd: &Withdraw) -> Result<WithdrawalView, WithdrawalError> {
    let tenant = cx.caller.tenant;
    let order = orders::seen_by(cx, cmd.order, cmd.token.as_deref())?;
    let view = look(cx.tx, tenant, (&order, cx.now))?;
    let wanted = |line: &&OfLine| cmd.line.is_none_or(|id| id == line.line);
    let chosen: Vec<_> = view.lines.iter().filter(wanted).collect();
    let stands = |standing| chosen.iter().filter(move |line| line.standing == standing);
    let open: Vec<_> = stands(Standing::Open)
        .map(|line| (line.line, line.left))
        .collect();
    if open.is_empty() {
        let first = chosen.first().ok_or(WithdrawalError::NotFound)?.standing;
        return match stands(Standing::Withdrawn).next() {
            Some(_) => Ok(view),
            None => Err(first.into()),
        };
    }
    declare(cx, &order, &open)?;
    look(cx.tx, tenant, (&order, cx.now))
}

fn declare(
    cx: &mut Cx<'_>,
    order: &Order,
    open: &[(OrderLineId, Money)],
) -> Result<(), WithdrawalError> {
    let lines: Vec<_> = open.iter().map(|(line, _)| *line).collect();
    let subject = refunds::withdraw(cx, order.id, &lines)?;
    let refund = RefundId::parse(&subject)?;
    let mut sum = Money::zero(order.total.currency());
    for (line, amount) in open {
        sum = sum.checked_add(*amount)?;
        let withdrawal = Withdrawal {
            line: *line,
            order: order.id,
            refund,
            amount: *amount,
            declared_at: cx.now,
        };
        sql::keep(cx.tx, cx.caller.tenant, &withdrawal)?;
    }
    subscriptions::withdrawn(cx, order.id, &lines)?;
    let about = serde_json::json!({
        "order": order.id.to_string(),
        "amount_minor": sum.minor(),
        "currency": sum.currency().code(),
        "reason": refunds::Reason::Withdrawal.code(),
        "by": refunds::By::Buyer.code(),
    });
    crate::events::record(cx, WITHDRAWN_FACT, &subject, &about)?;
    Ok(())
}

/// What was declared of an order by the commit that asked for a refund.
pub fn declared_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, refund): (OrderId, RefundId),
) -> Result<Vec<Withdrawal>, StoreError> {
    let mut all = sql::of_order(tx, tenant, order)?;
    all.retain(|one| one.refund == refund);
    Ok(all)
}

/// Judges every line of an order.
fn look(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, now): (&Order, Timestamp),
) -> Result<WithdrawalView, WithdrawalError> {
    let facts = Facts {
        state: order.state,
        disputed: refunds::is_disputed(tx, tenant, order.id)?,
        renewal: subscriptions::is_bill(tx, tenant, order.id)?,
        waived: fulfilment::waiver_of(tx, tenant, order.id)?.is_some(),
        until: order.paid_at.map(ends_at),
        now,
    };
    let declared = sql::of_order(tx, tenant, order.id)?;
    let states = refunds::states_of(tx, tenant, order.id)?;
    let left = refunds::left_of(tx, tenant, order)?;
    let mut lines = Vec::with_capacity(order.lines.len());
    for (line, left) in order.lines.iter().zip(left) {
        let withdrawal = declared.iter().find(|one| one.line == line.id);
        let withdrawal = withdrawal.and_then(|one| {
            let state = states.iter().find(|(refund, _)| *refund == one.refund);
            state.map(|(_, state)| (one.clone(), *state))
        });
        // What couldn't be sent back can be asked for again.
        let stands = withdrawal
            .as_ref()
            .is_some_and(|(_, state)| *state != RefundState::Failed);
        lines.push(OfLine {
            line: line.id,
            title: line.title.clone(),
            left,
            standing: facts.judge(line, (left, stands)),
            withdrawal,
        });
    }
    Ok(WithdrawalView {
        order: order.id,
        until: facts.until,
        lines,
    })
}
