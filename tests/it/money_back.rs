//! A shop and its provider without a network between them: the provider's webhooks are held, and
//! a test hands them over as it likes.

use crate::shop::{Shop, shop};
use axum_headers::signed;
use mintreu::id::{OrderId, OrderLineId};
use mintreu::{Currency, Money};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Caller, Capability};
use mintreu_server::domains::fulfilment::{Item, Purchase, Wanted, start};
use mintreu_server::domains::ledger::{AccountKind, Traffic, seller_balances};
use mintreu_server::domains::payments::{ReceiveEvent, receive_event};
use mintreu_server::domains::refunds::{AskRefund, Reason, RefundError, RefundSale, refund_sale};
use mintreu_server::gateways::Gateway;
use mintreu_server::gateways::sandbox::objects::{
    Decide, FollowUp, ObjectState, Raise, RefundHere, decide_dispute, follow_up, raise_dispute,
    refund_here,
};
use mintreu_server::gateways::sandbox::ops::{Choose, choose};
use mintreu_server::gateways::sandbox::tell::{Mode, SetMode, set_mode};
use mintreu_server::gateways::sandbox::{Sandbox, model::Choice};
use mintreu_server::queue::JobError;
use mintreu_server::store::{Row, Tx};
use mintreu_tests::TestApp;

pub mod axum_headers {
    use mintreu_server::app::App;
    use mintreu_server::gateways::sandbox::SIGNATURE_HEADER;
    use mintreu_server::gateways::signature::sign;
    use reqwest::header::{HeaderMap, HeaderValue};

    /// The header of a webhook that the tests' secret signed.
    pub fn signed(app: &App, body: &str) -> HeaderMap {
        let secret = app.config.payments.webhook_secret.reveal();
        let header = sign(secret.as_bytes(), app.now(), body.as_bytes());
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&header).expect("a header");
        headers.insert(SIGNATURE_HEADER, value);
        headers
    }
}

/// A shop at its provider's counter.
pub struct Desk<'a> {
    pub test: &'a TestApp,
    pub shop: Shop,
}

/// A paid order.
#[derive(Debug, Clone)]
pub struct Paid {
    pub order: OrderId,
    pub line: OrderLineId,
    pub session: String,
}

impl<'a> Desk<'a> {
    pub async fn open(test: &'a TestApp) -> Desk<'a> {
        Self::of(test, shop(test).await).await
    }

    /// The same, in a shop that is there.
    pub async fn of(test: &'a TestApp, shop: Shop) -> Desk<'a> {
        let held = SetMode { mode: Mode::Held };
        let set = test.app.transact(&test.guest(), held, set_mode).await;
        set.expect("webhooks are held");
        Desk { test, shop }
    }

    /// Rows of a statement without parameters.
    pub async fn rows(&self, sql: &'static str) -> Vec<Row> {
        let read = move |tx: &mut dyn Tx| tx.query(sql, &[]);
        let rows = self.test.app.store.read(read).await.expect("reads");
        rows.expect("rows")
    }

    /// A guest buys and pays; the shop has heard of it.
    pub async fn buy(&self, quantity: i64) -> Paid {
        let item = Item::new(self.shop.price, quantity);
        let guest = self.test.guest();
        self.buy_as(&guest, item, 4_900 * quantity, &[]).await
    }

    /// As [`Desk::buy`], but the provider tells of it in other words.
    pub async fn buy_told(&self, told: impl Fn(&str) -> String) -> Paid {
        let item = Item::new(self.shop.price, 1);
        let guest = self.test.guest();
        self.bought((&guest, item, 4_900), &[], told).await
    }

    /// Somebody buys at so much in all, with codes, and pays; the shop has heard of it.
    pub async fn buy_as(&self, who: &Caller, item: Item, minor: i64, codes: &[&str]) -> Paid {
        self.bought((who, item, minor), codes, str::to_owned).await
    }

    async fn bought(
        &self,
        of: (&Caller, Item, i64),
        codes: &[&str],
        told: impl Fn(&str) -> String,
    ) -> Paid {
        let (who, item, minor) = of;
        let (paid, newest) = self.pay((who, vec![item], minor), codes).await;
        self.hand_over(&told(&newest)).await;
        self.test.drain().await;
        paid
    }

    /// A guest buys and pays, and the shop hasn't heard of it: the order, and what it will hear.
    pub async fn buy_unheard(&self) -> (Paid, String) {
        let item = Item::new(self.shop.price, 1);
        self.pay((&self.test.guest(), vec![item], 4_900), &[]).await
    }

    /// A guest buys several things at so much in all; the shop has heard of it.
    pub async fn buy_all(&self, items: Vec<Item>, minor: i64) -> Paid {
        let (paid, newest) = self.pay((&self.test.guest(), items, minor), &[]).await;
        self.hand_over(&newest).await;
        self.test.drain().await;
        paid
    }

    async fn pay(
        &self,
        (who, items, minor): (&Caller, Vec<Item>, i64),
        codes: &[&str],
    ) -> (Paid, String) {
        let guest = who.account.is_none();
        let purchase = Purchase {
            wanted: Wanted {
                items,
                codes: codes.iter().map(|code| (*code).to_owned()).collect(),
                ..Wanted::default()
            },
            seen: Money::new(minor, Currency::EUR),
            email: guest.then(|| "guest@example.org".to_owned()),
            network: None,
            traffic: Traffic::Unknown,
            provider: None,
        };
        let app = &self.test.app;
        let started = start(app, who, None, purchase).await.expect("starts");
        let url = started.pay_url.expect("a page");
        let session = url.rsplit('/').next().expect("a session").to_owned();
        let pay = Choose {
            session: session.clone(),
            choice: Choice::Succeed,
            country: None,
        };
        app.transact(who, pay, choose).await.expect("pays");
        let paid = self.events().await;
        let newest = paid.last().expect("an event").1.clone();
        let lines = self
            .rows("SELECT order_id, order_line_id FROM order_line")
            .await;
        let line = lines
            .iter()
            .find(|row| row.id("order_id", OrderId::from_bytes).expect("an id") == started.order);
        let line = line.expect("its line");
        let paid = Paid {
            order: started.order,
            line: line
                .id("order_line_id", OrderLineId::from_bytes)
                .expect("an id"),
            session,
        };
        (paid, newest)
    }

    /// Every event that the provider wrote, by name and body, in the order of its instants.
    pub async fn events(&self) -> Vec<(String, String)> {
        let mut events = self
            .rows(
                "SELECT event, body, created_at FROM sandbox_event UNION ALL
                SELECT event, body, created_at FROM sandbox_notice ORDER BY created_at",
            )
            .await
            .iter()
            .map(|row| {
                (
                    row.text("event").expect("a name"),
                    row.text("body").expect("a body"),
                )
            })
            .collect::<Vec<_>>();
        events.dedup();
        events
    }

    /// Gives one webhook to the shop.
    pub async fn hand_over(&self, body: &str) {
        let headers = signed(&self.test.app, body);
        let event = Sandbox.verify_webhook(&self.test.app, &headers, body.as_bytes());
        let command = ReceiveEvent {
            provider: "sandbox",
            event: event.expect("the signature holds"),
        };
        let (app, house) = (&self.test.app, self.test.system());
        let received = app.transact(&house, command, receive_event).await;
        received.expect("is kept");
    }

    /// Gives every event to the shop, those known too, the newest first.
    pub async fn hand_over_all(&self) {
        for (_, body) in self.events().await.iter().rev() {
            self.hand_over(body).await;
        }
        self.settle().await;
    }

    /// Runs what is due, and what waits for an event that is there now.
    pub async fn settle(&self) {
        self.test.drain().await;
        for _ in 0..4 {
            self.test.clock.advance(60_000);
            self.test.drain().await;
        }
    }

    pub fn wish(paid: &Paid, amount_minor: Option<i64>) -> AskRefund {
        AskRefund {
            order: paid.order,
            line: None,
            amount_minor,
            reason: Reason::RequestedByCustomer,
            note: String::new(),
            keeps_license: false,
            ends_subscription: false,
            seen_left_minor: None,
        }
    }

    /// The seller asks for a refund.
    pub async fn refund(&self, wish: AskRefund) -> Result<String, RefundError> {
        let (app, seller) = (&self.test.app, &self.shop.seller);
        app.transact(seller, RefundSale(wish), refund_sale).await
    }

    /// Somebody refunds at the provider; whether the provider did.
    pub async fn refund_here(&self, paid: &Paid, amount_minor: Option<i64>) -> bool {
        let command = RefundHere {
            session: paid.session.clone(),
            amount_minor,
        };
        let (app, guest) = (&self.test.app, self.test.guest());
        app.transact(&guest, command, refund_here).await.is_ok()
    }

    /// A bank asks; whether it could.
    pub async fn raise(&self, paid: &Paid, state: ObjectState) -> bool {
        let command = Raise {
            session: paid.session.clone(),
            state,
        };
        let (app, guest) = (&self.test.app, self.test.guest());
        app.transact(&guest, command, raise_dispute).await.is_ok()
    }

    /// The bank decides the only dispute of a payment; whether there was one.
    pub async fn decide(&self, paid: &Paid, state: ObjectState) -> bool {
        let disputes = self
            .rows("SELECT object, session FROM sandbox_object WHERE kind = 'dispute'")
            .await;
        let of_session = |row: &&Row| row.text("session").expect("a session") == paid.session;
        let Some(dispute) = disputes.iter().find(of_session) else {
            return false;
        };
        let object = dispute.text("object").expect("a name");
        let (app, guest) = (&self.test.app, self.test.guest());
        let decided = app.transact(&guest, Decide { object, state }, decide_dispute);
        decided.await.is_ok()
    }

    /// What the provider gave back of a payment, refund by refund.
    pub async fn sent_back(&self, paid: &Paid) -> Vec<i64> {
        const SENT: &str = "SELECT session, amount_minor FROM sandbox_object
            WHERE kind = 'refund' AND state = 'succeeded' ORDER BY created_at";
        let rows = self.rows(SENT).await;
        let of = |row: &&Row| row.text("session").expect("a session") == paid.session;
        let amount = |row: &Row| row.int("amount_minor").expect("an amount");
        rows.iter().filter(of).map(amount).collect()
    }

    /// The state of an order.
    pub async fn state(&self, paid: &Paid) -> String {
        let orders = self
            .rows("SELECT order_id, state FROM customer_order")
            .await;
        let of = |row: &&Row| row.id("order_id", OrderId::from_bytes).expect("id") == paid.order;
        let order = orders.iter().find(of).expect("the order");
        order.text("state").expect("a state")
    }

    /// Why the license of an order doesn't work; nothing when it does.
    pub async fn license(&self, paid: &Paid) -> Option<String> {
        let licenses = self
            .rows("SELECT source, revoked_at, revoked_for FROM license")
            .await;
        let source = paid.line.to_string();
        let of = |row: &&Row| row.text("source").expect("a source") == source;
        let license = licenses.iter().find(of).expect("the license");
        let revoked = license.opt_at("revoked_at").expect("an instant");
        let cause = license.opt_text("revoked_for").expect("a cause");
        revoked.map(|_| cause.unwrap_or_else(|| "seller".to_owned()))
    }

    /// What the seller has: held, and releasable.
    pub async fn earned(&self) -> (i64, i64) {
        let seller = self.shop.seller.account.expect("an account");
        let caller = self.test.system();
        let found = self.test.app.read(&caller, seller, seller_balances).await;
        let found = found.expect("balances");
        let of = |kind| {
            let balance = found.iter().find(|balance| balance.kind == kind);
            balance.map_or(0, |balance| balance.amount.minor())
        };
        (
            of(AccountKind::SellerHeld),
            of(AccountKind::SellerReleasable),
        )
    }

    /// The kinds of all facts, without what every sale tells.
    pub async fn facts(&self) -> Vec<String> {
        let rows = self
            .rows("SELECT kind FROM event ORDER BY happened_at, event_id")
            .await;
        let kinds = rows.iter().map(|row| row.text("kind").expect("a kind"));
        let told = |kind: &String| {
            let heads = [
                "refund.",
                "dispute.",
                "order.refunded",
                "license.re",
                "license.s",
            ];
            heads.iter().any(|head| kind.starts_with(head))
        };
        kinds.filter(told).collect()
    }
}

/// What happens at the provider of itself.
struct Happens(FollowUp);

impl Command for Happens {
    const NAME: &'static str = "test.happens";
    const CAPABILITY: Capability = Capability::Operate;
}

fn happens(cx: &mut Cx<'_>, cmd: &Happens) -> Result<(), JobError> {
    follow_up(cx, &cmd.0)
}

impl Desk<'_> {
    /// Every refund that succeeded at the provider comes back.
    pub async fn fail_refunds(&self) {
        let refunds = self
            .rows("SELECT object FROM sandbox_object WHERE kind = 'refund' AND state = 'succeeded'")
            .await;
        self.test.clock.advance(1);
        for refund in refunds {
            self.fail_refund(refund.text("object").expect("a name"))
                .await;
        }
    }

    /// The refund that succeeded last at the provider comes back.
    pub async fn fail_newest_refund(&self) {
        const NEWEST: &str = "SELECT object FROM sandbox_object
            WHERE kind = 'refund' AND state = 'succeeded' ORDER BY created_at DESC LIMIT 1";
        let newest = self.rows(NEWEST).await;
        self.test.clock.advance(1);
        self.fail_refund(newest[0].text("object").expect("a name"))
            .await;
    }

    /// One refund comes back.
    pub async fn fail_refund(&self, object: String) {
        let follow = FollowUp {
            object,
            to: ObjectState::Failed,
            failure_code: Some("account_closed".to_owned()),
        };
        let (app, house) = (&self.test.app, self.test.system());
        let done = app.transact(&house, Happens(follow), happens).await;
        done.expect("happens");
    }

    /// What is owed to affiliates.
    pub async fn of_affiliates(&self) -> i64 {
        let rows = self
            .rows(
                "SELECT CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) AS amount_minor
                FROM ledger_entry e JOIN ledger_account a ON a.tenant_id = e.tenant_id
                    AND a.ledger_account_id = e.ledger_account_id
                WHERE a.kind = 'affiliate_payable'",
            )
            .await;
        rows[0].int("amount_minor").expect("a sum")
    }
}
