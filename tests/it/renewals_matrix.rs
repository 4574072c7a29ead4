//! What becomes of a renewal, of who brought the buyer, and of a payout that comes back: the rows of
//! the matrix of effects that no refund and no bank causes.

use crate::affiliates::{DAY_MS, HELPER, OPEN, buys, has, joined, open};
use crate::money_back::{Desk, Paid};
use crate::payouts::{balance, pay, payouts_of, settle_in};
use crate::shop::{SELLER, person};
use crate::subscriptions::{BUYER, facts, pay_with, travel};
use crate::subscriptions_matrix::monthly;
use crate::subscriptions_money::{newest_bill, stands};
use mintreu_server::caller::Role;
use mintreu_server::domains::affiliates::{Referred, SetPartner, set_partner};
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::payouts::model::State;
use mintreu_tests::TestApp;

/// What happens to a subscription of 49.00 EUR a month whose buyer somebody brought at 8 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Renewed,
    RenewalRefunded,
    RenewalFails,
    GraceIsOver,
    CardUpdated,
    AffiliateSuspended,
}

/// A row: the renewal's order, whether the license works, the subscription, what the seller has more than
/// before (held, releasable), the affiliate too, and the fact that is told.
struct Effects {
    event: Event,
    order: &'static str,
    works: bool,
    subscription: &'static str,
    seller: (i64, i64),
    affiliate: (i64, i64),
    fact: &'static str,
}

/// Of 49.00: platform 4.90 (10 %, the seller's own buyer), payment 1.72, affiliate 3.92, seller 38.46.
/// When a renewal goes back, both fees are the seller's: 6.62.
const TABLE: &[Effects] = &[
    Effects {
        event: Event::Renewed,
        order: "paid",
        works: true,
        subscription: "active",
        seller: (3_846, 0),
        affiliate: (392, 0),
        fact: "order.paid",
    },
    Effects {
        event: Event::RenewalRefunded,
        order: "refunded",
        works: true,
        subscription: "active",
        seller: (0, -662),
        affiliate: (0, 0),
        fact: "order.refunded",
    },
    Effects {
        event: Event::RenewalFails,
        order: "failed",
        works: true,
        subscription: "past_due",
        seller: (0, 0),
        affiliate: (0, 0),
        fact: "subscription.past_due",
    },
    Effects {
        event: Event::GraceIsOver,
        order: "failed",
        works: false,
        subscription: "past_due",
        seller: (0, 0),
        affiliate: (0, 0),
        fact: "subscription.lapsed",
    },
    Effects {
        event: Event::CardUpdated,
        order: "paid",
        works: true,
        subscription: "active",
        seller: (3_846, 0),
        affiliate: (392, 0),
        fact: "order.paid",
    },
    // The seller keeps the share; what was earned before stays the affiliate's.
    Effects {
        event: Event::AffiliateSuspended,
        order: "paid",
        works: true,
        subscription: "active",
        seller: (4_238, 0),
        affiliate: (0, 0),
        fact: "order.paid",
    },
];

async fn suspend_affiliate(test: &TestApp) {
    let partner = SetPartner {
        affiliation: joined(test, HELPER).await.id,
        suspended: true,
        coupon: String::new(),
    };
    let seller = person(test, SELLER, Role::Developer);
    let set = test.app.transact(&seller, partner, set_partner).await;
    set.expect("is suspended");
}

/// Until the renewal, and what follows it.
async fn cause(desk: &Desk<'_>, first: &Paid, event: Event) {
    let test = desk.test;
    let id = stands(desk).await.0;
    match event {
        Event::RenewalFails | Event::GraceIsOver | Event::CardUpdated => {
            pay_with(test, id, "sbm_insufficient_funds").await;
        }
        Event::AffiliateSuspended => suspend_affiliate(test).await,
        Event::Renewed | Event::RenewalRefunded => {}
    }
    travel(test, "2027-02-16").await;
    match event {
        Event::RenewalRefunded => {
            let bill = newest_bill(desk, first).await;
            let asked = desk.refund(Desk::wish(&bill, None)).await;
            asked.expect("is asked for");
            desk.hand_over_all().await;
        }
        Event::GraceIsOver => travel(test, "2027-02-23").await,
        Event::CardUpdated => {
            assert_eq!(stands(desk).await.1, "past_due");
            pay_with(test, id, "sbm_pays").await;
        }
        _ => {}
    }
}

fn more(after: (i64, i64), before: (i64, i64)) -> (i64, i64) {
    (after.0 - before.0, after.1 - before.1)
}

#[tokio::test]
async fn every_event_of_a_renewal_has_its_effects_and_no_others() {
    for row in TABLE {
        TestApp::both(async |test| {
            let (desk, event) = (Desk::open(test).await, row.event);
            open(test, OPEN).await;
            let referred = Referred {
                clicks: Vec::new(),
                code: Some(joined(test, HELPER).await.code),
            };
            let item = Item::new(monthly(&desk).await, 1);
            let buyer = person(test, BUYER, Role::Customer);
            let first = buys(&desk, &buyer, (item, referred)).await;
            assert_eq!(has(test, HELPER).await, (392, 0));
            // What the first sale earned is free by then, whatever becomes of the next.
            travel(test, "2027-02-10").await;
            let before = (desk.earned().await, has(test, HELPER).await);
            assert_eq!(before, ((0, 3_846), (0, 392)));
            let told = facts(test, row.fact).await;
            cause(&desk, &first, event).await;
            let bill = newest_bill(&desk, &first).await;
            assert_eq!(desk.state(&bill).await, row.order, "{event:?}");
            assert_eq!(desk.license(&first).await.is_none(), row.works, "{event:?}");
            assert_eq!(stands(&desk).await.1, row.subscription, "{event:?}");
            let seller = more(desk.earned().await, before.0);
            assert_eq!(seller, row.seller, "{event:?}");
            let affiliate = more(has(test, HELPER).await, before.1);
            assert_eq!(affiliate, row.affiliate, "{event:?}");
            assert_eq!(facts(test, row.fact).await, told + 1, "{event:?}");
        })
        .await;
    }
}

/// Seller and affiliate have again what their bank sent back, and nobody has more or less than before.
#[tokio::test]
async fn a_payout_that_a_bank_returns_is_available_again() {
    TestApp::both(async |test| {
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        open(test, OPEN).await;
        let referred = Referred {
            clicks: Vec::new(),
            code: Some(joined(test, HELPER).await.code),
        };
        for account in [SELLER, HELPER] {
            settle_in(test, account, "acct_returns").await;
        }
        let item = Item::new(desk.shop.price, 3);
        buys(&desk, &test.guest(), (item, referred)).await;
        let (seller, affiliate) = (desk.earned().await.0, has(test, HELPER).await.0);
        assert_eq!(affiliate, 1_176);
        travel(test, "2027-02-01").await;
        let view = pay(test).await;
        assert_eq!(view.payouts.len(), 2);
        assert_eq!(balance(test, SELLER).await, (0, 0), "it was paid out");
        test.clock.advance(DAY_MS);
        test.drain().await;
        for (account, earned) in [(SELLER, seller), (HELPER, affiliate)] {
            assert_eq!(balance(test, account).await, (earned, 0));
            let payouts = payouts_of(test, account).await;
            assert_eq!((payouts.len(), payouts[0].state), (1, State::Returned));
        }
        assert_eq!(facts(test, "payout.returned").await, 2);
        server.stop().await;
    })
    .await;
}
