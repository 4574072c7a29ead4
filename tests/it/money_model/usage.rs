//! Invoices of usage: somebody uses, is billed, pays by hand or by itself, has it back; and what the
//! provider says of it when all has been told.

use super::Stop;
use super::jobs::attempt;
use super::sim::Sim;
use crate::metered::{Device, sold_to};
use crate::payouts::settle_in;
use mintreu::id::{AccountId, InvoiceId, LicenseId, TenantId};
use mintreu::meter::{CellKey, TimeQuality, Total};
use mintreu::{Currency, Money};
use mintreu_server::app::Cx;
use mintreu_server::caller::Caller;
use mintreu_server::domains::billing::{
    BillNow, BillingError, VoidInvoice, bill_now, void_invoice,
};
use mintreu_server::domains::fulfilment::automatic::ChargeAgain;
use mintreu_server::domains::fulfilment::{
    AgreeToPay, CHARGE_AGAIN_JOB, EndAutomaticPayment, FulfilmentError, PayInvoice, PayWith,
    Paying, agree_to_pay, end_automatic_payment, pay_invoice,
};
use mintreu_server::domains::invoicing::{self, InvoiceError, State};
use mintreu_server::domains::metering::AcceptSegment;
use mintreu_server::domains::meters::ops::accept_segment;
use mintreu_server::domains::payments::Payable;
use mintreu_server::domains::refunds::{
    AskInvoiceRefund, Reason, RefundError, RefundInvoice, RefundUsage, refund_invoice, refund_usage,
};
use mintreu_server::domains::taxes::{Buyer, SetOwnPlace, set_own_place};
use mintreu_server::gateways::SessionRequest;
use mintreu_server::gateways::sandbox::model::Choice;
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::gateways::sandbox::ops::{Choose, OpenSession, choose, open_session};
use mintreu_server::queue;
use mintreu_server::store::{Row, StoreError, Tx};
use mintreu_tests::TestApp;

pub use crate::metered::SELLER;

const CUSTOMER: AccountId = AccountId::from_bytes(*b"who uses a meter");
/// A cent a call, from the first on.
const TARIFFS: [&str; 2] = ["EUR per_unit 0.01; free 0", "EUR per_unit 0.00"];
/// Invoices that steps choose from.
const ALIVE: usize = 8;

const NEW_INVOICES: &str = "SELECT invoice_id, total_minor FROM invoice
    WHERE tenant_id = :tenant AND license_id = :license AND invoice_id > :newest
    ORDER BY invoice_id";
/// What was divided, once for each invoice.
const DIVIDED: &str = "SELECT a.kind, CAST(COALESCE(SUM(-e.amount_minor), 0) AS BIGINT) AS minor
    FROM ledger_transaction t
    JOIN ledger_entry e
        ON e.tenant_id = t.tenant_id AND e.ledger_transaction_id = t.ledger_transaction_id
    JOIN ledger_account a
        ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
    WHERE t.tenant_id = :tenant AND t.posting_key = :key GROUP BY a.kind";
const WENT_BACK: &str = "SELECT invoice_id,
        CAST(SUM(tax_minor) AS BIGINT) AS tax_minor, MIN(tax_minor) AS tax_least,
        CAST(SUM(platform_fee_minor) AS BIGINT) AS platform_fee_minor,
        MIN(platform_fee_minor) AS platform_fee_least,
        CAST(SUM(payment_fee_minor) AS BIGINT) AS payment_fee_minor,
        MIN(payment_fee_minor) AS payment_fee_least,
        CAST(SUM(seller_minor) AS BIGINT) AS seller_minor, MIN(seller_minor) AS seller_least
    FROM (SELECT invoice_id, tax_minor, platform_fee_minor, payment_fee_minor, seller_minor
            FROM invoice_refund
            WHERE tenant_id = :tenant AND invoice_id >= :oldest AND state <> 'failed'
        UNION ALL
        SELECT invoice_id, tax_minor, platform_fee_minor, payment_fee_minor, seller_minor
            FROM invoice_reversal
            WHERE tenant_id = :tenant AND invoice_id >= :oldest AND state <> 'undone') gone
    GROUP BY invoice_id";
/// What a dispute costs is compared with all the money; what a payment cost more than its tariff, too.
const POSTED: &str = "SELECT
        COUNT(DISTINCT CASE WHEN t.kind = 'invoice' THEN t.ledger_transaction_id END) AS issued,
        COUNT(DISTINCT CASE WHEN t.kind = 'invoice_payment' THEN t.ledger_transaction_id END)
            AS settled,
        CAST(COALESCE(SUM(CASE WHEN a.kind = 'receivable' THEN e.amount_minor ELSE 0 END), 0)
            AS BIGINT) AS owed,
        CAST(COALESCE(SUM(CASE WHEN a.kind = 'psp_clearing'
            AND t.kind NOT IN ('variance', 'dispute_fee') THEN e.amount_minor ELSE 0 END), 0)
            AS BIGINT) AS there
    FROM ledger_transaction t
    JOIN ledger_entry e
        ON e.tenant_id = t.tenant_id AND e.ledger_transaction_id = t.ledger_transaction_id
    JOIN ledger_account a
        ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
    WHERE t.tenant_id = :tenant AND t.reference = :invoice";
const AWAY: &str = "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS minor
    FROM sandbox_object WHERE tenant_id = :tenant AND session = :session
        AND ((kind = 'refund' AND state = 'succeeded')
            OR (kind = 'dispute' AND state IN ('opened', 'lost')))";

/// The parts of an invoice: their accounts, and their columns where some of them went back.
const PARTS: [(&str, &str, &str); 4] = [
    ("tax_payable", "tax_minor", "tax_least"),
    ("platform_fee", "platform_fee_minor", "platform_fee_least"),
    ("processing_fee", "payment_fee_minor", "payment_fee_least"),
    ("seller_held", "seller_minor", "seller_least"),
];

/// An invoice that steps may choose.
#[derive(Debug, Clone)]
pub struct Used {
    invoice: InvoiceId,
    total: i64,
    /// What each part was when it was issued.
    divided: [i64; 4],
}

/// A license whose use is billed.
#[derive(Clone)]
pub struct Usage {
    customer: &'static Caller,
    seller: &'static Caller,
    license: LicenseId,
    device: Device,
    calls: u64,
    invoices: Vec<Used>,
    newest: InvoiceId,
}

impl Usage {
    pub async fn open(test: &TestApp) -> Self {
        let sold = sold_to(test, TARIFFS, CUSTOMER).await;
        let buyer = Buyer::declared(Some("DE"), None, None).expect("a buyer");
        let place = SetOwnPlace { buyer };
        let set = test.app.transact(&sold.customer, place, set_own_place);
        set.await.expect("is set");
        settle_in(test, SELLER, "acct_ok").await;
        Self {
            device: Device::activated(test, 1, sold.license).await,
            customer: Box::leak(Box::new(sold.customer)),
            seller: Box::leak(Box::new(sold.seller)),
            license: sold.license,
            calls: 0,
            invoices: Vec::new(),
            newest: InvoiceId::from_bytes([0; 16]),
        }
    }

    /// What is wrong with what went back of the newest invoices.
    pub fn look(&self, cx: &mut Cx<'_>) -> Result<Vec<String>, Stop> {
        let mut wrong = Vec::new();
        let Some(oldest) = self.invoices.first() else {
            return Ok(wrong);
        };
        let params = [
            ("tenant", cx.caller.tenant.as_bytes().into()),
            ("oldest", oldest.invoice.as_bytes().into()),
        ];
        for row in cx.tx.query(WENT_BACK, &params)? {
            let invoice = row.id("invoice_id", InvoiceId::from_bytes)?;
            let mut known = self.invoices.iter();
            let Some(used) = known.find(|used| used.invoice == invoice) else {
                continue;
            };
            for ((account, sum, least), divided) in PARTS.iter().zip(used.divided) {
                if row.int(sum)? > divided || row.int(least)? < 0 {
                    wrong.push(format!("{invoice} gave back more {account} than it got"));
                }
            }
        }
        Ok(wrong)
    }
}

impl Sim {
    /// Somebody does something about what is used.
    pub fn usage_happens(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        use ObjectState::{Inquired, Lost, Opened, Warned, Won};
        if self.usage.invoices.is_empty() || self.dice.below(6) == 0 {
            return self.bill(cx);
        }
        let used = self.dice.pick(&self.usage.invoices).clone();
        let payable = Payable::new(used.invoice);
        match self.dice.below(16) {
            0..=4 => self.pay_used(cx, &used),
            5..=7 => self.refund_used(cx, &used),
            8 => self.call_off(cx, &used),
            9 | 10 => self.agree(cx),
            11 => self.refund_at_provider(cx, (&payable, used.total)),
            12 | 13 => {
                let state = *self.dice.pick(&[Warned, Inquired, Opened]);
                self.raise(cx, &payable, state)
            }
            _ => {
                let state = *self.dice.pick(&[Opened, Won, Won, Lost]);
                self.decide(cx, &payable, state)
            }
        }
    }

    /// A device reports what it counted, and its customer is billed at once.
    fn bill(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        self.usage.calls += 1 + u64::try_from(self.dice.below(1_500))?;
        let total = Total {
            key: CellKey::new("calls")?,
            units: self.usage.calls,
        };
        let said = (cx.now, TimeQuality::Plausible);
        let sealed = self
            .usage
            .device
            .seal_with(said, (vec![total], Vec::new()), None);
        let segment = AcceptSegment::read(sealed)?;
        cx.caller = self.people.guest;
        attempt(cx, |cx| accept_segment(cx, &segment))??;
        cx.caller = self.usage.customer;
        let license = self.usage.license;
        attempt(cx, |cx| bill_now(cx, &BillNow { license }))??;
        Ok("usage is billed")
    }

    fn pay_used(&mut self, cx: &mut Cx<'_>, used: &Used) -> Result<&'static str, Stop> {
        let wish = PayInvoice {
            invoice: used.invoice,
            token: None,
            provider: "sandbox".to_owned(),
            later: self.dice.below(4) == 0,
            closed: None,
        };
        cx.caller = self.usage.customer;
        let payment = match attempt(cx, |cx| pay_invoice(cx, &wish))? {
            Ok(Paying::Page(payment, _)) => payment,
            Ok(Paying::Close(_))
            | Err(
                FulfilmentError::BeingCharged
                | FulfilmentError::Invoice(InvoiceError::AlreadyPaid | InvoiceError::Void),
            ) => return Ok("would pay"),
            Err(error) => return Err(error.into()),
        };
        let open = OpenSession {
            request: SessionRequest {
                keep: wish.later,
                strong: false,
                tenant: cx.caller.tenant,
                payment,
                amount: Money::new(used.total, Currency::EUR),
                description: String::new(),
                return_url: String::new(),
            },
        };
        let choices = [
            Choice::Succeed,
            Choice::Succeed,
            Choice::Duplicate,
            Choice::Decline,
        ];
        let pay = Choose {
            session: attempt(cx, |cx| open_session(cx, &open))??,
            choice: *self.dice.pick(&choices),
            country: None,
        };
        // A page that was left open takes no second choice.
        let _ = attempt(cx, |cx| choose(cx, &pay))?;
        Ok("pays usage")
    }

    fn refund_used(&mut self, cx: &mut Cx<'_>, used: &Used) -> Result<&'static str, Stop> {
        let by_platform = self.dice.below(3) == 0;
        let wish = AskInvoiceRefund {
            invoice: used.invoice,
            amount_minor: self.amount(used.total)?,
            reason: *self
                .dice
                .pick(&[Reason::RequestedByCustomer, Reason::Fraud]),
            note: String::new(),
            seen_left_minor: None,
        };
        let asked = if by_platform {
            cx.caller = self.people.owner;
            attempt(cx, |cx| refund_invoice(cx, &RefundInvoice(wish)))?
        } else {
            cx.caller = self.usage.seller;
            attempt(cx, |cx| refund_usage(cx, &RefundUsage(wish)))?
        };
        match asked {
            Ok(_) => Ok("refunds usage"),
            Err(
                RefundError::InvoiceOpen
                | RefundError::Disputed
                | RefundError::OutOfRange { .. }
                | RefundError::NeedsPlatform
                | RefundError::TooMany,
            ) => Ok("would refund usage"),
            Err(error) => Err(error.into()),
        }
    }

    fn call_off(&mut self, cx: &mut Cx<'_>, used: &Used) -> Result<&'static str, Stop> {
        cx.caller = self.usage.seller;
        let invoice = used.invoice;
        match attempt(cx, |cx| void_invoice(cx, &VoidInvoice { invoice }))? {
            Ok(()) => Ok("calls off"),
            Err(BillingError::Invoice(InvoiceError::AlreadyPaid)) => Ok("would call off"),
            Err(error) => Err(error.into()),
        }
    }

    fn agree(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        cx.caller = self.usage.customer;
        let license = self.usage.license;
        if self.dice.below(6) == 0 {
            let end = EndAutomaticPayment { license };
            attempt(cx, |cx| end_automatic_payment(cx, &end))??;
            return Ok("pays by hand");
        }
        let methods = [
            "sbm_pays",
            "sbm_pays",
            "sbm_insufficient_funds",
            "sbm_lost_card",
        ];
        let with = PayWith::Method {
            provider: "sandbox".to_owned(),
            method: (*self.dice.pick(&methods)).to_owned(),
        };
        attempt(cx, |cx| agree_to_pay(cx, &AgreeToPay { license, with }))??;
        Ok("pays by itself")
    }

    /// New invoices, those too that the end of a period issued. Nobody dispatches facts here, so what
    /// the fact of an invoice does about its payment is asked for.
    pub fn track_invoices(&mut self, cx: &mut Cx<'_>) -> Result<(), Stop> {
        let tenant = cx.caller.tenant;
        let params = [
            ("tenant", tenant.as_bytes().into()),
            ("license", self.usage.license.as_bytes().into()),
            ("newest", self.usage.newest.as_bytes().into()),
        ];
        cx.caller = self.people.house;
        for row in cx.tx.query(NEW_INVOICES, &params)? {
            let invoice = row.id("invoice_id", InvoiceId::from_bytes)?;
            self.usage.newest = invoice;
            self.usage.invoices.push(Used {
                invoice,
                total: row.int("total_minor")?,
                divided: divided(cx.tx, tenant, invoice)?,
            });
            let charge = ChargeAgain {
                invoice: invoice.to_string(),
            };
            queue::enqueue(cx, CHARGE_AGAIN_JOB, &charge, cx.now)?;
        }
        Ok(())
    }

    /// Holds the newest invoices against the provider, and forgets the oldest of them.
    pub fn compare_usage(&mut self, cx: &mut Cx<'_>, wrong: &mut Vec<String>) -> Result<(), Stop> {
        for used in &self.usage.invoices {
            self.compare_invoice(cx, used, wrong)?;
        }
        let old = self.usage.invoices.len().saturating_sub(ALIVE);
        self.usage.invoices.drain(..old);
        Ok(())
    }

    fn compare_invoice(
        &self,
        cx: &mut Cx<'_>,
        used: &Used,
        wrong: &mut Vec<String>,
    ) -> Result<(), Stop> {
        let (tenant, id) = (cx.caller.tenant, used.invoice);
        let invoice = invoicing::by_id(cx.tx, tenant, id)?;
        let state = invoice.ok_or(InvoiceError::NotFound)?.state;
        let params = [
            ("tenant", tenant.as_bytes().into()),
            ("invoice", id.to_string().into()),
        ];
        let posted = cx.tx.query_one(POSTED, &params)?;
        let posted = posted.ok_or_else(|| Stop::Wrong(vec!["no sums".to_owned()]))?;
        let sums = ["issued", "settled", "owed", "there"].map(|name| posted.int(name));
        let [issued, settled, owed, there] = sums;
        let found = (issued?, settled?, owed?, there?);
        let expected = match state {
            State::Open => (1, 0, used.total, 0),
            State::Void => (1, 0, 0, 0),
            State::Paid => {
                let session = self.session(cx, &Payable::new(id))?.unwrap_or_default();
                (1, 1, 0, used.total - away(cx, &session)?)
            }
        };
        if found != expected {
            let state = state.name();
            wrong.push(format!(
                "{id} ({state}) is posted {found:?}, not {expected:?}"
            ));
        }
        Ok(())
    }
}

fn divided(tx: &mut dyn Tx, tenant: TenantId, invoice: InvoiceId) -> Result<[i64; 4], StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", format!("invoice:{invoice}").into()),
    ];
    let rows = tx.query(DIVIDED, &params)?;
    let mut divided = [0; 4];
    for ((kind, ..), minor) in PARTS.iter().zip(&mut divided) {
        let is_of = |row: &&Row| row.text("kind").is_ok_and(|found| found == *kind);
        if let Some(row) = rows.iter().find(is_of) {
            *minor = row.int("minor")?;
        }
    }
    Ok(divided)
}

/// What of a payment isn't at the provider any more.
pub fn away(cx: &mut Cx<'_>, session: &str) -> Result<i64, StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("session", session.into()),
    ];
    let row = cx.tx.query_one(AWAY, &params)?;
    row.map_or(Ok(0), |row| row.int("minor"))
}
