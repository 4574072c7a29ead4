//! What the rules say of the books: of what is new after each step, and of all of it now and then.

use super::Stop;
use mintreu::Timestamp;
use mintreu::id::{AccountId, OrderId, OrderLineId, TenantId};
use mintreu_server::app::Cx;
use mintreu_server::store::{Tx, Value};
use mintreu_tests::{audit_commerce, audit_payouts};
use std::collections::BTreeMap;

/// Ids begin with their instant, so what is new lies behind what is known.
const FRESH: &str = "SELECT e.ledger_entry_id, e.ledger_transaction_id, e.ledger_account_id,
        e.amount_minor, e.currency, a.kind
    FROM ledger_entry e
    JOIN ledger_account a
        ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
    WHERE e.tenant_id = :tenant AND e.ledger_entry_id > :known ORDER BY e.ledger_entry_id";
const SUMS: &str = "SELECT ledger_account_id,
        CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS amount_minor
    FROM ledger_entry WHERE tenant_id = :tenant GROUP BY ledger_account_id";
const GAVE_TOO_MUCH: &str = "SELECT r.order_line_id FROM line_reversal r
    JOIN order_line l ON l.tenant_id = r.tenant_id AND l.order_line_id = r.order_line_id
    WHERE r.tenant_id = :tenant AND r.order_id >= :oldest AND r.state <> 'undone'
    GROUP BY r.order_line_id, l.tax_minor, l.platform_fee_minor, l.payment_fee_minor,
        l.affiliate_minor, l.seller_net_minor
    HAVING SUM(r.tax_minor) > l.tax_minor OR SUM(r.platform_fee_minor) > l.platform_fee_minor
        OR SUM(r.payment_fee_minor) > l.payment_fee_minor
        OR SUM(r.affiliate_minor) > l.affiliate_minor
        OR SUM(r.seller_minor) > l.seller_net_minor
        OR MIN(r.tax_minor) < 0 OR MIN(r.platform_fee_minor) < 0 OR MIN(r.payment_fee_minor) < 0
        OR MIN(r.affiliate_minor) < 0 OR MIN(r.seller_minor) < 0";
const REFUNDED: &str = "SELECT o.order_id, o.state, o.total_minor,
        CAST(COALESCE(SUM(f.amount_minor), 0) AS BIGINT) AS refunded_minor
    FROM customer_order o
    LEFT JOIN refund f ON f.tenant_id = o.tenant_id AND f.order_id = o.order_id
        AND f.state = 'succeeded'
    WHERE o.tenant_id = :tenant AND o.order_id >= :oldest AND o.paid_at IS NOT NULL
    GROUP BY o.order_id, o.state, o.total_minor";
const OWED: &str = "SELECT source FROM ledger_escrow
    WHERE tenant_id = :tenant AND seller_id IN (:seller, :other) AND held_at >= :since AND amount_minor < 0";

/// An account's kind and what it holds.
type Account = (String, i64);

/// The sums that follow from every entry seen so far.
#[derive(Debug, Clone, Default)]
pub struct Books {
    known: Vec<u8>,
    accounts: BTreeMap<Vec<u8>, Account>,
    /// Grows with each entry: the same for the same story.
    pub story: u64,
}

/// From which order on orders are looked at after each step.
pub struct Window {
    pub tenant: TenantId,
    pub sellers: [AccountId; 2],
    pub oldest: OrderId,
    pub since: Timestamp,
}

impl Books {
    pub fn remember(&mut self, what: &[u8]) {
        for byte in what {
            self.story = (self.story ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// What all accounts of a kind hold.
    pub fn of_kind(&self, kind: &str) -> i64 {
        let of = self.accounts.values().filter(|account| account.0 == kind);
        of.map(|account| account.1).sum()
    }

    /// Takes in what is new, and says what is wrong with it and with the orders of the window.
    pub fn look(&mut self, cx: &mut Cx<'_>, window: &Window) -> Result<Vec<String>, Stop> {
        let mut wrong = Vec::new();
        self.take_in(cx.tx, window.tenant, &mut wrong)?;
        let of_orders = [
            ("tenant", window.tenant.as_bytes().into()),
            ("oldest", window.oldest.as_bytes().into()),
        ];
        for row in cx.tx.query(GAVE_TOO_MUCH, &of_orders)? {
            let line = row.id("order_line_id", OrderLineId::from_bytes)?;
            wrong.push(format!("line {line} gave back more than it got"));
        }
        for row in cx.tx.query(REFUNDED, &of_orders)? {
            let (total, refunded) = (row.int("total_minor")?, row.int("refunded_minor")?);
            let (state, expected) = (row.text("state")?, state_of(refunded, total));
            if state != expected {
                let order = row.id("order_id", OrderId::from_bytes)?;
                wrong.push(format!("order {order} is {state}, not {expected}"));
            }
        }
        let of_sellers = [
            ("tenant", window.tenant.as_bytes().into()),
            ("seller", window.sellers[0].as_bytes().into()),
            ("other", window.sellers[1].as_bytes().into()),
            ("since", window.since.into()),
        ];
        for row in cx.tx.query(OWED, &of_sellers)? {
            wrong.push(format!("the hold of {} is negative", row.text("source")?));
        }
        Ok(wrong)
    }

    fn take_in(
        &mut self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        wrong: &mut Vec<String>,
    ) -> Result<(), Stop> {
        let params = [
            ("tenant", tenant.as_bytes().into()),
            ("known", Value::Blob(self.known.clone())),
        ];
        let mut sums = BTreeMap::<_, i64>::new();
        for row in tx.query(FRESH, &params)? {
            let (amount, kind) = (row.int("amount_minor")?, row.text("kind")?);
            let transaction = (row.blob("ledger_transaction_id")?, row.text("currency")?);
            *sums.entry(transaction).or_default() += amount;
            self.remember(kind.as_bytes());
            self.remember(&amount.to_le_bytes());
            let account = row.blob("ledger_account_id")?;
            self.accounts.entry(account).or_insert((kind, 0)).1 += amount;
            self.known = row.blob("ledger_entry_id")?;
        }
        for ((_, currency), left) in sums.into_iter().filter(|(_, left)| *left != 0) {
            wrong.push(format!("a new transaction is off by {left} {currency}"));
        }
        for (kind, sum) in self.accounts.values() {
            if (kind == "seller_held" || kind == "affiliate_payable") && *sum > 0 {
                wrong.push(format!("a seller's hold is below zero by {sum}"));
            }
        }
        Ok(())
    }

    /// The whole of it, and whether what was added up on the way is what is there.
    pub fn look_at_all(&self, cx: &mut Cx<'_>) -> Result<Vec<String>, Stop> {
        let mut wrong = Vec::new();
        audit_commerce::look(cx.tx, &mut wrong)?;
        audit_payouts::look(cx.tx, &mut wrong)?;
        let tenant = [("tenant", cx.caller.tenant.as_bytes().into())];
        let mut there = BTreeMap::new();
        for row in cx.tx.query(SUMS, &tenant)? {
            there.insert(row.blob("ledger_account_id")?, row.int("amount_minor")?);
        }
        for (account, (kind, sum)) in &self.accounts {
            let found = there.remove(account).unwrap_or_default();
            if found != *sum {
                wrong.push(format!("an account of {kind} has {found}, not {sum}"));
            }
        }
        if !there.is_empty() {
            wrong.push(format!("{} accounts came out of nothing", there.len()));
        }
        Ok(wrong)
    }
}

/// What an order is when so much of it was refunded.
pub fn state_of(refunded: i64, total: i64) -> &'static str {
    match refunded {
        0 => "paid",
        all if all == total => "refunded",
        _ => "partially_refunded",
    }
}
