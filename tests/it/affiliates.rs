//! Who brings a buyer earns a share, once, never on what they buy themself; what goes back of the
//! sale goes back of the share.

use crate::money_back::{Desk, Paid};
use crate::payouts::settle_in;
use crate::shop::{SELLER, person};
use crate::subscriptions::{club, travel};
use mintreu::id::AccountId;
use mintreu::{Currency, Money};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::affiliates::{
    AffiliateError, Affiliation, Click, Join, Leave, Mine, MyReferrals, OwnProgramme, Referral,
    ReferralState, Referred, Refusal, SetPartner, SetProgramme, SetRate, Terms, click, join, leave,
    mine, my_referrals, own_programme, set_partner, set_programme, set_rate,
};
use mintreu_server::domains::fulfilment::{Item, Purchase, Wanted, quote_of, start};
use mintreu_server::domains::ledger::{AccountKind, Traffic, seller_balances};
use mintreu_server::gateways::sandbox::model::Choice;
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::gateways::sandbox::ops::{Choose, choose};
use mintreu_tests::TestApp;

pub const HELPER: AccountId = AccountId::from_bytes(*b"affiliate accnt1");
pub const OTHER: AccountId = AccountId::from_bytes(*b"affiliate accnt2");
pub const DAY_MS: u32 = 24 * 60 * 60 * 1000;

pub const OPEN: Terms = Terms {
    open: true,
    rate_bps: 800,
    window_days: 30,
    renewal_months: None,
};

fn helper(test: &TestApp) -> Caller {
    person(test, HELPER, Role::Customer)
}

pub async fn open(test: &TestApp, terms: Terms) {
    let seller = person(test, SELLER, Role::Developer);
    let set = test
        .app
        .transact(&seller, SetProgramme(terms), set_programme);
    set.await.expect("is set");
}

pub async fn joined(test: &TestApp, who: AccountId) -> Affiliation {
    let command = Join {
        seller: SELLER,
        agreed: true,
    };
    let who = person(test, who, Role::Customer);
    test.app.transact(&who, command, join).await.expect("joins")
}

/// Somebody who recommends what the shop sells and is paid out; what their links carry.
pub async fn recommended(test: &TestApp) -> String {
    open(test, OPEN).await;
    let code = joined(test, HELPER).await.code;
    settle_in(test, HELPER, "acct_ok").await;
    code
}

pub async fn follows(test: &TestApp, code: &str, network: &str) -> Referred {
    test.clock.advance(1);
    let command = Click {
        code: code.to_owned(),
        network: network.to_owned(),
    };
    let clicked = test.app.transact(&test.guest(), command, click).await;
    Referred {
        clicks: clicked.expect("follows").into_iter().collect(),
        code: None,
    }
}

/// Buys and pays, brought by somebody.
pub async fn buys(desk: &Desk<'_>, who: &Caller, (item, referred): (Item, Referred)) -> Paid {
    let app = &desk.test.app;
    let wanted = Wanted {
        items: vec![item],
        referred,
        ..Wanted::default()
    };
    let email = (who.account.is_none()).then(|| "guest@example.org".to_owned());
    let quoted = quote_of(app, who, wanted.clone(), email.clone()).await;
    let purchase = Purchase {
        wanted,
        seen: quoted.expect("a quote").total,
        email,
        network: None,
        traffic: Traffic::Marketplace,
        provider: None,
    };
    let started = start(app, who, None, purchase).await.expect("starts");
    let url = started.pay_url.expect("a page");
    let session = url.rsplit('/').next().expect("a session").to_owned();
    let pay = Choose {
        session: session.clone(),
        choice: Choice::Succeed,
        country: None,
    };
    app.transact(who, pay, choose).await.expect("pays");
    desk.hand_over_all().await;
    let lines = desk
        .rows("SELECT order_id, order_line_id FROM order_line")
        .await;
    let line = lines.iter().find(|row| {
        row.id("order_id", mintreu::id::OrderId::from_bytes)
            .expect("an id")
            == started.order
    });
    let line = line
        .expect("a line")
        .id("order_line_id", mintreu::id::OrderLineId::from_bytes);
    Paid {
        order: started.order,
        line: line.expect("an id"),
        session,
    }
}

pub async fn brought(test: &TestApp, who: AccountId) -> Vec<(Referral, ReferralState)> {
    let query = MyReferrals {
        before: None,
        limit: 50,
    };
    let who = person(test, who, Role::Customer);
    let found = test
        .app
        .read(&who, query, my_referrals)
        .await
        .expect("referrals");
    let rows = found.0.into_iter();
    rows.map(|(referral, state, _)| (referral, state)).collect()
}

/// What somebody has: held as a commission, and releasable.
pub async fn has(test: &TestApp, who: AccountId) -> (i64, i64) {
    let found = test.app.read(&test.system(), who, seller_balances).await;
    let found = found.expect("balances");
    let of = |kind| {
        let balance = found.iter().find(|balance| balance.kind == kind);
        balance.map_or(0, |balance| balance.amount.minor())
    };
    (
        of(AccountKind::AffiliatePayable),
        of(AccountKind::SellerReleasable),
    )
}

#[tokio::test]
async fn a_commission_is_held_released_and_paid_like_a_sellers_part() {
    TestApp::both(async |test| {
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        open(test, OPEN).await;
        let code = joined(test, HELPER).await.code;
        assert_eq!(
            joined(test, HELPER).await.code,
            code,
            "joining again changes nothing"
        );
        settle_in(test, HELPER, "acct_helper").await;
        let item = || Item::new(desk.shop.price, 3);
        let referred = follows(test, &code, "192.0.2.1").await;
        assert_eq!(
            follows(test, &code, "192.0.2.1").await,
            referred,
            "one click a day"
        );
        let guest = test.guest();
        buys(&desk, &guest, (item(), referred.clone())).await;
        // 8 % of 147.00; the platform takes the share of the seller's own traffic, 10 %.
        let (referral, state) = brought(test, HELPER).await.remove(0);
        assert_eq!(
            (referral.commission.minor(), state),
            (1_176, ReferralState::Pending)
        );
        assert_eq!(has(test, HELPER).await, (1_176, 0));
        let fees = desk.rows("SELECT platform_fee_minor FROM order_line").await;
        assert_eq!(fees[0].int("platform_fee_minor").expect("a fee"), 1_470);
        test.clock.advance(14 * DAY_MS - 60_000 * 10);
        test.drain().await;
        assert_eq!(
            has(test, HELPER).await.1,
            0,
            "held for all of its fourteen days"
        );
        test.clock.advance(60_000 * 10);
        test.drain().await;
        assert_eq!(brought(test, HELPER).await[0].1, ReferralState::Approved);
        assert_eq!(has(test, HELPER).await, (0, 1_176));
        // The weekly run pays it out, and its statement lists it.
        test.clock.advance(8 * DAY_MS);
        test.drain().await;
        assert_eq!(brought(test, HELPER).await[0].1, ReferralState::Paid);
        assert_eq!(has(test, HELPER).await, (0, 0));
        let partner = test
            .app
            .read(&helper(test), Mine, mine)
            .await
            .expect("parts")
            .remove(0);
        assert_eq!((partner.affiliation.clicks, partner.sales), (1, 1));
        assert_eq!(partner.earned, [Money::new(1_176, Currency::EUR)]);
        // The click ends with its window.
        test.clock.advance(9 * DAY_MS);
        buys(&desk, &guest, (item(), referred)).await;
        let late = &brought(test, HELPER).await[0];
        assert_eq!(
            (late.0.refusal, late.1),
            (Some(Refusal::Expired), ReferralState::Refused)
        );
        assert_eq!(late.0.commission.minor(), 0);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_goes_back_of_a_sale_goes_back_of_its_commission() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        open(test, OPEN).await;
        let code = joined(test, HELPER).await.code;
        let guest = test.guest();
        let item = || Item::new(desk.shop.price, 1);
        let referred = follows(test, &code, "192.0.2.1").await;
        let sold = buys(&desk, &guest, (item(), referred.clone())).await;
        assert_eq!(has(test, HELPER).await, (392, 0));
        // 49.00 in uneven thirds: the parts of the commission add up to all of it, and no more.
        for (amount, left) in [(1_633, 261), (1_633, 131), (1_634, 0)] {
            desk.refund(Desk::wish(&sold, Some(amount)))
                .await
                .expect("is asked");
            desk.hand_over_all().await;
            let (referral, _) = &brought(test, HELPER).await[0];
            let kept = referral.commission.minor() - referral.reversed.minor();
            assert!(
                (kept - left).abs() <= 1,
                "{kept} are left, not about {left}"
            );
            assert_eq!(has(test, HELPER).await, (kept, 0));
        }
        assert_eq!(brought(test, HELPER).await[0].1, ReferralState::Reversed);
        // The refunds come back, and so does the commission.
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(has(test, HELPER).await, (392, 0));
        assert_eq!(brought(test, HELPER).await[0].1, ReferralState::Pending);
        // A bank asks, takes, and gives back.
        let other = buys(&desk, &guest, (item(), referred)).await;
        for (state, held, stands) in [
            (ObjectState::Inquired, 784, ReferralState::InReview),
            (ObjectState::Opened, 392, ReferralState::Reversed),
            (ObjectState::Won, 784, ReferralState::Pending),
        ] {
            test.clock.advance(1);
            let done = match state {
                ObjectState::Inquired => desk.raise(&other, state).await,
                _ => desk.decide(&other, state).await,
            };
            assert!(done, "{state:?}");
            desk.hand_over_all().await;
            assert_eq!(has(test, HELPER).await.0, held, "{state:?}");
            assert_eq!(brought(test, HELPER).await[0].1, stands, "{state:?}");
        }
        // What was released before it went back is owed.
        test.clock.advance(15 * DAY_MS);
        test.drain().await;
        assert_eq!(has(test, HELPER).await, (0, 784));
        desk.refund(Desk::wish(&sold, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(has(test, HELPER).await, (0, 392));
    })
    .await;
}

#[tokio::test]
async fn nobody_earns_on_what_they_buy_themself_and_the_newest_that_may_does() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        open(test, OPEN).await;
        let (first, second) = (joined(test, OTHER).await.code, joined(test, HELPER).await);
        let item = || Item::new(desk.shop.price, 1);
        let mut both = follows(test, &second.code, "192.0.2.1").await;
        let alone = both.clone();
        both.clicks
            .extend(follows(test, &first, "192.0.2.1").await.clicks);
        buys(&desk, &test.guest(), (item(), both.clone())).await;
        assert_eq!(
            brought(test, HELPER).await.len(),
            1,
            "the newest is the first"
        );
        assert_eq!(brought(test, OTHER).await.len(), 0);
        // By their own link nobody earns; who brought them before does.
        buys(&desk, &helper(test), (item(), both)).await;
        assert_eq!(brought(test, OTHER).await.len(), 1);
        buys(&desk, &helper(test), (item(), alone.clone())).await;
        let refused = &brought(test, HELPER).await[0].0;
        assert_eq!(refused.refusal, Some(Refusal::SelfReferral));
        // Their own clicks don't count at all.
        let own = Click {
            code: second.code.clone(),
            network: "192.0.2.9".to_owned(),
        };
        let own = test.app.transact(&helper(test), own, click).await;
        assert_eq!(own.expect("is looked at"), None);
        // A seller can't join, nor anybody without a yes.
        let seller = person(test, SELLER, Role::Developer);
        for (who, agreed) in [(&seller, true), (&helper(test), false)] {
            let command = Join {
                seller: SELLER,
                agreed,
            };
            let done = test.app.transact(who, command, join).await;
            assert!(matches!(
                done,
                Err(AffiliateError::OwnProgramme | AffiliateError::ConsentMissing)
            ));
        }
        // Out of the programme, ended, left, closed: each says so.
        let rows = desk.rows("SELECT product_id FROM product").await;
        let product = rows[0].id("product_id", mintreu::id::ProductId::from_bytes);
        let product = product.expect("an id");
        let last = async || brought(test, HELPER).await[0].0.refusal;
        let guest = test.guest();
        let rate = |rate_bps| SetRate { product, rate_bps };
        test.app
            .transact(&seller, rate(Some(0)), set_rate)
            .await
            .expect("is out");
        buys(&desk, &guest, (item(), alone.clone())).await;
        assert_eq!(last().await, Some(Refusal::Excluded));
        test.app
            .transact(&seller, rate(Some(1_000)), set_rate)
            .await
            .expect("is dearer");
        buys(&desk, &guest, (item(), alone.clone())).await;
        assert_eq!(brought(test, HELPER).await[0].0.commission.minor(), 490);
        let partner = |suspended| SetPartner {
            affiliation: second.id,
            suspended,
            coupon: String::new(),
        };
        test.app
            .transact(&seller, partner(true), set_partner)
            .await
            .expect("ends");
        buys(&desk, &guest, (item(), alone.clone())).await;
        assert_eq!(last().await, Some(Refusal::Suspended));
        test.app
            .transact(&seller, partner(false), set_partner)
            .await
            .expect("begins");
        let quit = Leave {
            affiliation: second.id,
        };
        test.app
            .transact(&helper(test), quit, leave)
            .await
            .expect("leaves");
        buys(&desk, &guest, (item(), alone.clone())).await;
        assert_eq!(last().await, Some(Refusal::Left));
        joined(test, HELPER).await;
        open(test, Terms::default()).await;
        buys(&desk, &guest, (item(), alone)).await;
        assert_eq!(last().await, Some(Refusal::Closed));
        // A code by itself is nobody's any more, and the seller sees all of it.
        let query = OwnProgramme {
            before: None,
            limit: 50,
        };
        let seen = test
            .app
            .read(&seller, query, own_programme)
            .await
            .expect("is shown");
        assert_eq!((seen.partners.len(), seen.referrals.len()), (2, 8));
    })
    .await;
}

#[tokio::test]
async fn renewals_earn_for_as_long_as_was_agreed() {
    TestApp::both(async |test| {
        let (desk, club) = (Desk::open(test).await, club(test).await);
        let terms = Terms {
            renewal_months: Some(2),
            ..OPEN
        };
        open(test, terms).await;
        let code = joined(test, HELPER).await.code;
        let referred = Referred {
            clicks: Vec::new(),
            code: Some(code),
        };
        buys(&desk, &club.buyer, (Item::new(club.cheap, 1), referred)).await;
        assert_eq!(brought(test, HELPER).await.len(), 1);
        // A higher rate is for those who are brought from now on.
        let dearer = Terms {
            rate_bps: 1_000,
            ..terms
        };
        open(test, dearer).await;
        for day in ["2027-02-16", "2027-03-16", "2027-04-16", "2027-05-16"] {
            travel(test, day).await;
        }
        let found = brought(test, HELPER).await;
        let earned: Vec<_> = found.iter().map(|one| one.0.commission.minor()).collect();
        assert!(earned.iter().all(|minor| *minor == 80), "{earned:?}");
        assert_eq!(
            earned.len(),
            2,
            "the first payment and one renewal within two months"
        );
    })
    .await;
}
