//! What each event does to everything it touches, cell by cell: here what refunds and banks cause, to order,
//! license, seller, affiliate, code and facts. Their effects on subscriptions are in `subscriptions_matrix`,
//! the rows of renewals, affiliates and payouts in `renewals_matrix`. Downloads and reviews have no column:
//! neither can be had of the shop yet.

use crate::affiliates::{DAY_MS, HELPER, brought, buys, follows, has, recommended};
use crate::money_back::{Desk, Paid};
use crate::shop::person;
use crate::usage_invoices;
use crate::web_usage::signed_in;
use mintreu::id::AccountId;
use mintreu_server::caller::Role;
use mintreu_server::domains::affiliates::ReferralState;
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::promotions::{CreateCoupon, OwnCoupons, create_coupon, own_coupons};
use mintreu_server::domains::refunds::{AskRefund, Reason, RefundOrder, refund_order};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::TestApp;

/// One row: the event, then order, license, seller's money (held, releasable) and facts.
pub struct Effects {
    pub event: &'static str,
    order: &'static str,
    /// Why the license doesn't work; empty when it does.
    license: &'static str,
    seller: (i64, i64),
    facts: &'static [&'static str],
}

const fn row(
    event: &'static str,
    (order, license): (&'static str, &'static str),
    seller: (i64, i64),
    facts: &'static [&'static str],
) -> Effects {
    Effects {
        event,
        order,
        license,
        seller,
        facts,
    }
}

/// A sale of 49.00 EUR: platform 7.35, payment fee 1.72, seller 39.93. When all of it goes back,
/// the seller has lost both fees (9.07); when it was a fraud, only the payment fee.
pub const TABLE: &[Effects] = &[
    row(
        "full refund",
        ("refunded", "refund"),
        (0, -907),
        &["order.refunded", "license.revoked", "refund.created"],
    ),
    row(
        "full refund that keeps the license",
        ("refunded", ""),
        (0, -907),
        &["order.refunded", "refund.created"],
    ),
    row(
        "partial refund",
        ("partially_refunded", ""),
        (1_543, 0),
        &["refund.created"],
    ),
    row(
        "last partial refund",
        ("refunded", "refund"),
        (0, -907),
        &[
            "refund.created",
            "order.refunded",
            "license.revoked",
            "refund.created",
        ],
    ),
    row(
        "refund at the provider",
        ("refunded", "refund"),
        (0, -907),
        &["order.refunded", "license.revoked", "refund.created"],
    ),
    row(
        "refund fails later",
        ("paid", ""),
        (3_993, 0),
        &[
            "order.refunded",
            "license.revoked",
            "refund.created",
            "license.reinstated",
            "refund.failed",
        ],
    ),
    row(
        "refund is refused",
        ("paid", ""),
        (3_993, 0),
        &["refund.failed"],
    ),
    row("inquiry", ("paid", ""), (3_993, 0), &["dispute.opened"]),
    row(
        "chargeback opened",
        ("paid", "dispute"),
        (0, -2_407),
        &["license.suspended", "dispute.opened"],
    ),
    row(
        "chargeback won",
        ("paid", ""),
        (3_993, 0),
        &[
            "license.suspended",
            "dispute.opened",
            "license.reinstated",
            "dispute.won",
        ],
    ),
    row(
        "chargeback lost",
        ("paid", "chargeback"),
        (0, -1_672),
        &[
            "license.suspended",
            "dispute.opened",
            "license.revoked",
            "dispute.lost",
        ],
    ),
    row(
        "early fraud warning",
        ("paid", ""),
        (3_993, 0),
        &["dispute.warned"],
    ),
    row(
        "early fraud warning, refunded for fraud",
        ("refunded", "refund"),
        (0, -172),
        &[
            "dispute.warned",
            "order.refunded",
            "license.revoked",
            "dispute.prevented",
            "refund.created",
        ],
    ),
    row(
        "duplicate and reordered webhooks",
        ("paid", "chargeback"),
        (0, -1_672),
        &["license.revoked", "dispute.lost"],
    ),
];

async fn ask(desk: &Desk<'_>, wish: AskRefund) {
    desk.refund(wish).await.expect("is asked for");
    desk.hand_over_all().await;
}

async fn fraud(desk: &Desk<'_>, paid: &Paid) {
    let wish = AskRefund {
        reason: Reason::Fraud,
        ..Desk::wish(paid, None)
    };
    let (app, house) = (&desk.test.app, desk.test.system());
    let asked = app.transact(&house, RefundOrder(wish), refund_order).await;
    asked.expect("is asked for");
}

async fn disputed(desk: &Desk<'_>, paid: &Paid, states: &[ObjectState]) {
    let (first, rest) = states.split_first().expect("a state");
    assert!(desk.raise(paid, *first).await);
    for state in rest {
        desk.hand_over_all().await;
        assert!(desk.decide(paid, *state).await);
    }
    desk.hand_over_all().await;
}

pub async fn cause(desk: &Desk<'_>, paid: &Paid, event: &str) {
    use ObjectState::{Inquired, Lost, Opened, Warned, Won};
    match event {
        "full refund" => ask(desk, Desk::wish(paid, None)).await,
        "full refund that keeps the license" => {
            let wish = AskRefund {
                keeps_license: true,
                ..Desk::wish(paid, None)
            };
            ask(desk, wish).await;
        }
        "partial refund" => ask(desk, Desk::wish(paid, Some(2_450))).await,
        "last partial refund" => {
            ask(desk, Desk::wish(paid, Some(2_450))).await;
            ask(desk, Desk::wish(paid, Some(2_450))).await;
        }
        "refund at the provider" => {
            assert!(desk.refund_here(paid, None).await);
            desk.hand_over_all().await;
        }
        "refund fails later" => {
            desk.refund(Desk::wish(paid, None)).await.expect("is asked");
            desk.test.drain().await;
            desk.fail_refunds().await;
            desk.hand_over_all().await;
        }
        "refund is refused" => ask(desk, Desk::wish(paid, Some(1_044))).await,
        "inquiry" => disputed(desk, paid, &[Inquired]).await,
        "chargeback opened" => disputed(desk, paid, &[Opened]).await,
        "chargeback won" => disputed(desk, paid, &[Opened, Won]).await,
        "chargeback lost" => disputed(desk, paid, &[Opened, Lost]).await,
        "early fraud warning" => disputed(desk, paid, &[Warned]).await,
        "early fraud warning, refunded for fraud" => {
            disputed(desk, paid, &[Warned]).await;
            fraud(desk, paid).await;
            desk.hand_over_all().await;
        }
        "duplicate and reordered webhooks" => {
            // The decision arrives before the opening, and all of it twice.
            assert!(desk.raise(paid, Opened).await);
            desk.test.clock.advance(1_000);
            assert!(desk.decide(paid, Lost).await);
            let events = desk.events().await;
            desk.hand_over(&events.last().expect("the decision").1)
                .await;
            desk.test.drain().await;
            desk.hand_over_all().await;
            desk.hand_over_all().await;
        }
        other => panic!("nobody knows how {other} comes about"),
    }
}

#[tokio::test]
async fn every_event_has_its_effects_and_no_others() {
    for effects in TABLE {
        TestApp::both(async |test| {
            let desk = Desk::open(test).await;
            let paid = desk.buy(1).await;
            assert_eq!(desk.earned().await, (3_993, 0));
            test.clock.advance(1_000);
            cause(&desk, &paid, effects.event).await;
            let event = effects.event;
            assert_eq!(desk.state(&paid).await, effects.order, "{event}");
            let license = desk.license(&paid).await;
            assert_eq!(license.unwrap_or_default(), effects.license, "{event}");
            assert_eq!(desk.earned().await, effects.seller, "{event}");
            // Facts of one instant have no order among themselves.
            let (mut told, mut facts) = (desk.facts().await, effects.facts.to_vec());
            told.sort();
            facts.sort_unstable();
            assert_eq!(told, facts, "{event}");
            // Nobody brought these buyers; those that somebody did are the next table.
            assert_eq!(desk.of_affiliates().await, 0, "{event}");
        })
        .await;
    }
}

/// What an event does to who brought a sale of 147.00 EUR at 8 %: a commission of 11.76.
struct OfAffiliate {
    event: &'static str,
    /// Held and releasable afterwards, and where the referral stands, while the commission is held.
    held: ((i64, i64), ReferralState),
    /// The same when it was paid out before: what goes back is owed, and nothing is paid twice.
    paid: ((i64, i64), ReferralState),
}

const OF_AFFILIATES: &[OfAffiliate] = {
    use ReferralState::{InReview, Paid, Pending, Reversed};
    const fn row(
        event: &'static str,
        held: ((i64, i64), ReferralState),
        paid: ((i64, i64), ReferralState),
    ) -> OfAffiliate {
        OfAffiliate { event, held, paid }
    }
    &[
        row("full refund", ((0, 0), Reversed), ((0, -1_176), Reversed)),
        row("partial refund", ((980, 0), Pending), ((0, -196), Paid)),
        row(
            "last partial refund",
            ((784, 0), Pending),
            ((0, -392), Paid),
        ),
        row(
            "refund at the provider",
            ((0, 0), Reversed),
            ((0, -1_176), Reversed),
        ),
        row("refund fails later", ((1_176, 0), Pending), ((0, 0), Paid)),
        row("inquiry", ((1_176, 0), InReview), ((0, 0), Paid)),
        row(
            "chargeback opened",
            ((0, 0), Reversed),
            ((0, -1_176), Reversed),
        ),
        row("chargeback won", ((1_176, 0), Pending), ((0, 0), Paid)),
        row(
            "chargeback lost",
            ((0, 0), Reversed),
            ((0, -1_176), Reversed),
        ),
        row("early fraud warning", ((1_176, 0), Pending), ((0, 0), Paid)),
        row(
            "early fraud warning, refunded for fraud",
            ((0, 0), Reversed),
            ((0, -1_176), Reversed),
        ),
        row(
            "duplicate and reordered webhooks",
            ((0, 0), Reversed),
            ((0, -1_176), Reversed),
        ),
    ]
};

#[tokio::test]
async fn every_event_has_its_effect_on_who_brought_the_sale() {
    for of in OF_AFFILIATES {
        for (is_paid, effect) in [(false, of.held), (true, of.paid)] {
            TestApp::both(async |test| {
                let (desk, server) = (Desk::open(test).await, test.serve().await);
                let code = recommended(test).await;
                let by = follows(test, &code, "192.0.2.1").await;
                let sold = (Item::new(desk.shop.price, 3), by);
                let paid = buys(&desk, &test.guest(), sold).await;
                assert_eq!(has(test, HELPER).await, (1_176, 0));
                if is_paid {
                    for _ in 0..2 {
                        test.clock.advance(14 * DAY_MS);
                        test.drain().await;
                    }
                    assert_eq!(has(test, HELPER).await, (0, 0), "it was paid out");
                }
                test.clock.advance(1_000);
                cause(&desk, &paid, of.event).await;
                let event = (of.event, is_paid);
                assert_eq!(has(test, HELPER).await, effect.0, "{event:?}");
                assert_eq!(brought(test, HELPER).await[0].1, effect.1, "{event:?}");
                server.stop().await;
            })
            .await;
        }
    }
}

/// What a dispute does to an invoice of usage of 5.00 EUR, of which 3.13 are the seller's: they bear the
/// platform's 0.63 until it is lost, the provider's 0.44, and its 15.00 unless it is won.
const OF_INVOICES: &[(&str, (i64, i64), &[&str])] = &[
    ("inquiry", (313, 0), &["dispute.opened"]),
    ("chargeback opened", (0, -1_607), &["dispute.opened"]),
    (
        "chargeback won",
        (313, 0),
        &["dispute.opened", "dispute.won"],
    ),
    (
        "chargeback lost",
        (0, -1_544),
        &["dispute.lost", "dispute.opened"],
    ),
    ("early fraud warning", (313, 0), &["dispute.warned"]),
    (
        "duplicate and reordered webhooks",
        (0, -1_544),
        &["dispute.lost"],
    ),
];

#[tokio::test]
async fn every_event_of_a_bank_has_its_effect_on_an_invoice_of_usage() {
    for (event, seller, facts) in OF_INVOICES {
        TestApp::both(async |test| {
            let server = test.serve().await;
            let (ada, account) = signed_in(&server, "ada@buyer.example").await;
            let (_, _, desk, paid) = usage_invoices::paid(test, &account, &ada).await;
            assert_eq!(desk.earned().await, (313, 0));
            let before = desk.facts().await;
            test.clock.advance(1_000);
            cause(&desk, &paid, event).await;
            assert_eq!(desk.earned().await, *seller, "{event}");
            let mut told = desk.facts().await;
            told.retain(|fact| !before.contains(fact));
            told.sort();
            assert_eq!(told, *facts, "{event}");
            server.stop().await;
        })
        .await;
    }
}

/// Whether a code's unit stays taken after an event.
const OF_CODES: &[(&str, bool)] = &[
    ("full refund", false),
    ("full refund that keeps the license", false),
    ("partial refund", true),
    ("last partial refund", false),
    ("refund at the provider", false),
    ("refund fails later", true),
    ("refund is refused", true),
    ("inquiry", true),
    ("chargeback opened", true),
    ("chargeback won", true),
    ("chargeback lost", true),
    ("early fraud warning", true),
    ("early fraud warning, refunded for fraud", true),
    ("duplicate and reordered webhooks", true),
];

#[tokio::test]
async fn every_event_has_its_effect_on_the_code_of_the_sale() {
    let events = TABLE.iter().map(|row| row.event);
    assert!(
        events.eq(OF_CODES.iter().map(|row| row.0)),
        "no cell is missing"
    );
    for (event, stays) in OF_CODES {
        TestApp::both(async |test| {
            let desk = Desk::open(test).await;
            let rule = serde_json::json!({"off": [{"amount_minor": 100, "currency": "EUR"}]});
            let command = CreateCoupon {
                code: "ONCE".to_owned(),
                rule: serde_json::from_value(rule).expect("a rule"),
            };
            let made = test.app.transact(&desk.shop.seller, command, create_coupon);
            made.await.expect("is written");
            let buyer = person(test, AccountId::from_bytes([9; 16]), Role::Customer);
            let item = Item::new(desk.shop.price, 1);
            let paid = desk.buy_as(&buyer, item, 4_800, &["ONCE"]).await;
            test.clock.advance(1_000);
            match *event {
                // All that is left, of a price that the code changed.
                "last partial refund" => {
                    ask(&desk, Desk::wish(&paid, Some(2_450))).await;
                    ask(&desk, Desk::wish(&paid, None)).await;
                }
                event => cause(&desk, &paid, event).await,
            }
            let seller = &desk.shop.seller;
            let found = test.app.read(seller, OwnCoupons, own_coupons).await;
            let taken: i64 = found.expect("reads").iter().map(|one| one.taken).sum();
            assert_eq!(taken, i64::from(*stays), "{event}");
        })
        .await;
    }
}
