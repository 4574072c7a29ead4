//! The platform's share: the nearest rule counts, its sentence is kept with the sale, and no rule
//! reaches back.

use crate::money_back::{Desk, Paid};
use crate::payouts::owner;
use crate::shop::SELLER;
use crate::subscriptions::{club, travel, tried};
use mintreu::id::OrderId;
use mintreu::{Currency, Money, Timestamp};
use mintreu_server::domains::fees::{
    self, FeeError, Preview, RulesQuery, Scope, SetDisputeFee, SetRule, dispute_fees, preview,
    rules, set_dispute_fee, set_rule,
};
use mintreu_server::domains::fulfilment::flow;
use mintreu_server::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use mintreu_server::domains::orders;
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::TestApp;

fn flat(bps: u32) -> Option<FeePolicy> {
    Some(FeePolicy {
        seller_bps: bps,
        marketplace_bps: bps,
        default_bps: bps,
    })
}

fn rule(scope: Scope, subject: &str, policy: Option<FeePolicy>) -> SetRule {
    SetRule {
        scope,
        subject: subject.to_owned(),
        policy,
        from: None,
        reason: "agreed in the spring".to_owned(),
    }
}

async fn set(test: &TestApp, rule: SetRule) -> String {
    test.clock.advance(1);
    let done = test.app.transact(&owner(test), rule, set_rule).await;
    done.expect("is set")
}

/// The platform's part of an order's line, and the sentence that is stored with it.
async fn share(desk: &Desk<'_>, order: OrderId) -> (i64, String) {
    let tenant = desk.test.tenant();
    let read = move |tx: &mut dyn mintreu_server::store::Tx| {
        let order = orders::find(tx, tenant, order)?.expect("an order");
        let line = order.lines[0].clone();
        let kept = fees::of_line(tx, tenant, line.id)?.expect("is kept");
        Ok::<_, mintreu_server::store::StoreError>((line, kept))
    };
    let found = desk.test.app.store.read(read).await.expect("reads");
    let (line, kept) = found.expect("reads");
    assert!(line.split.explanation.contains(&kept.why), "{kept:?}");
    (line.split.platform_fee.minor(), kept.why)
}

async fn product_of(desk: &Desk<'_>) -> String {
    let rows = desk.rows("SELECT product_id FROM product").await;
    let id = rows[0].id("product_id", mintreu::id::ProductId::from_bytes);
    id.expect("an id").to_string()
}

#[tokio::test]
async fn the_nearest_rule_counts_and_earlier_sales_keep_theirs() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let (product, developer) = (product_of(&desk).await, SELLER.to_string());
        let mut sold: Vec<(Paid, i64)> = Vec::new();
        let first = desk.buy(1).await;
        let (fee, why) = share(&desk, first.order).await;
        assert_eq!((fee, why.contains("the platform's settings")), (735, true));
        sold.push((first, 735));
        // 49.00 at 16, 17, 12 and 11 percent: each rule is nearer than the one before.
        let steps = [
            (Scope::Platform, "", 1_600, 784, "the platform's rule"),
            (
                Scope::Category,
                "tools",
                1_700,
                833,
                "the rule of its category",
            ),
            (
                Scope::Developer,
                developer.as_str(),
                1_200,
                588,
                "the developer's own rule",
            ),
            (
                Scope::Product,
                product.as_str(),
                1_100,
                539,
                "the product's own rule",
            ),
        ];
        for (scope, subject, bps, expected, whose) in steps {
            let id = set(test, rule(scope, subject, flat(bps))).await;
            let paid = desk.buy(1).await;
            let (fee, why) = share(&desk, paid.order).await;
            assert_eq!(fee, expected, "{why}");
            assert!(why.contains(whose) && why.contains(&id), "{why}");
            sold.push((paid, expected));
        }
        // One after the other ends, the nearest first, and the next one counts again.
        for ((scope, subject, ..), expected) in steps.iter().rev().zip([588, 833, 784, 735]) {
            set(test, rule(*scope, subject, None)).await;
            let paid = desk.buy(1).await;
            assert_eq!(share(&desk, paid.order).await.0, expected);
            sold.push((paid, expected));
        }
        for (paid, expected) in &sold {
            assert_eq!(share(&desk, paid.order).await.0, *expected);
        }
        let page = test
            .app
            .read(&owner(test), RulesQuery::default(), rules)
            .await;
        let page = page.expect("rules");
        let in_force = page.rules.iter().filter(|one| one.state == "in_force");
        assert_eq!((page.rules.len(), in_force.count()), (8, 4));
    })
    .await;
}

#[tokio::test]
async fn a_planned_rule_waits_for_its_date() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let mut planned = rule(Scope::Platform, "", flat(2_000));
        planned.from = Some(test.app.now().plus_ms(1_000));
        set(test, planned).await;
        let before = desk.buy(1).await;
        test.clock.advance(1_000);
        let after = desk.buy(1).await;
        assert_eq!(share(&desk, before.order).await.0, 735);
        assert_eq!(share(&desk, after.order).await.0, 980);
    })
    .await;
}

#[tokio::test]
async fn a_rule_that_can_not_be_is_refused_and_changes_nothing() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let try_it = async |rule: SetRule| {
            let done = test.app.transact(&owner(test), rule, set_rule).await;
            done.expect_err("is refused")
        };
        for bps in [0, 999, 2_001, u32::MAX] {
            let error = try_it(rule(Scope::Platform, "", flat(bps))).await;
            assert!(
                matches!(error, FeeError::OutOfRange("seller_bps")),
                "{error}"
            );
        }
        for (scope, subject) in [
            (Scope::Platform, "tools"),
            (Scope::Category, ""),
            (Scope::Category, "nothing/such"),
            (Scope::Product, "prd_nothing"),
            (Scope::Developer, ""),
            (Scope::Line, ""),
        ] {
            let error = try_it(rule(scope, subject, flat(1_500))).await;
            assert!(matches!(error, FeeError::Subject), "{subject}: {error}");
        }
        let mut past = rule(Scope::Platform, "", flat(1_500));
        past.from = Some(Timestamp::from_secs(1));
        assert!(matches!(try_it(past).await, FeeError::Past));
        for reason in ["", "  ", &"x".repeat(501)] {
            let mut silent = rule(Scope::Platform, "", flat(1_500));
            silent.reason = reason.to_owned();
            assert!(matches!(try_it(silent).await, FeeError::Reason));
        }
        let wanted = rule(Scope::Platform, "", flat(1_000));
        let denied = test.app.transact(&desk.shop.seller, wanted, set_rule).await;
        assert!(matches!(denied, Err(FeeError::Denied(_))));
        let denied = test
            .app
            .read(&desk.shop.seller, RulesQuery::default(), rules)
            .await;
        assert!(matches!(denied, Err(FeeError::Denied(_))));
        assert!(desk.rows("SELECT reason FROM fee_rule").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_preview_says_what_of_a_hundred_goes_to_whom_and_sets_nothing() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let query = |currency: &str, minor: i64| Preview {
            scope: Scope::Developer,
            subject: SELLER.to_string(),
            policy: flat(1_250),
            amount: Money::new(minor, Currency::parse(currency).expect("a currency")),
            settings: FeePolicy::default(),
            tariff: PaymentTariff::default(),
        };
        let parts = async |query: Preview| -> Vec<[i64; 3]> {
            let found = test.app.read(&owner(test), query, preview).await;
            let found = found.expect("is tried");
            let ways: Vec<_> = found.iter().map(|one| one.traffic).collect();
            assert_eq!(
                ways,
                [Traffic::Seller, Traffic::Marketplace, Traffic::Unknown]
            );
            for one in &found {
                for split in [&one.now, &one.then] {
                    let sum = split.platform_fee.minor()
                        + split.payment_fee.minor()
                        + split.seller.minor();
                    assert_eq!(sum, split.charged.minor());
                }
            }
            let minor = |money: Money| money.minor();
            let part = |one: &fees::Example| {
                [
                    minor(one.now.platform_fee),
                    minor(one.then.platform_fee),
                    minor(one.then.seller),
                ]
            };
            found.iter().map(part).collect()
        };
        let euros = parts(query("EUR", 10_000)).await;
        assert_eq!(
            euros,
            [
                [1_000, 1_250, 8_430],
                [2_000, 1_250, 8_430],
                [1_500, 1_250, 8_430]
            ]
        );
        // A currency without cents and one of thousandths.
        assert_eq!(parts(query("JPY", 10_000)).await[2][1], 1_250);
        assert_eq!(parts(query("KWD", 100_000)).await[0][0], 10_000);
        assert!(desk.rows("SELECT reason FROM fee_rule").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_subscription_goes_on_at_the_share_it_began_with() {
    TestApp::both(async |test| {
        let club = club(test).await;
        tried(test, &club, Some("sbm_pays")).await;
        set(test, rule(Scope::Platform, "", flat(2_000))).await;
        travel(test, "2027-02-01").await;
        let read = |tx: &mut dyn mintreu_server::store::Tx| {
            tx.query("SELECT platform_bps, scope FROM order_line_fee", &[])
        };
        let rows = test.app.store.read(read).await.expect("reads");
        let rows = rows.expect("reads");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].int("platform_bps").expect("a share"), 1_000);
        assert_eq!(rows[0].text("scope").expect("a scope"), "line");
    })
    .await;
}

#[tokio::test]
async fn a_chargeback_costs_what_the_tariff_of_its_currency_says() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let usual = desk.buy(1).await;
        let before = desk.earned().await;
        assert!(desk.raise(&usual, ObjectState::Opened).await);
        desk.hand_over_all().await;
        let (held, releasable) = desk.earned().await;
        // The seller's part of one sale is gone from what is held, what the rest costs is owed.
        assert!(held < before.0);
        let wish = SetDisputeFee {
            amount: Money::new(2_345, Currency::EUR),
            reason: "the provider's new tariff".to_owned(),
        };
        let runs = owner(test);
        let set = test.app.transact(&runs, wish.clone(), set_dispute_fee);
        set.await.expect("is set");
        let dear = desk.buy(1).await;
        assert!(desk.raise(&dear, ObjectState::Opened).await);
        desk.hand_over_all().await;
        let (_, after) = desk.earned().await;
        assert_eq!(
            (after - releasable) - (releasable - before.1),
            -(2_345 - 1_500)
        );
        let all = test.app.read(&owner(test), (), dispute_fees).await;
        let all = all.expect("fees");
        let of = |code: &str| {
            let found = all.iter().find(|fee| fee.amount.currency().code() == code);
            found.expect("a fee").amount.minor()
        };
        assert_eq!((of("EUR"), of("JPY"), of("KWD")), (2_345, 2_000, 5_000));
        let denied = test.app.transact(&desk.shop.seller, wish, set_dispute_fee);
        assert!(matches!(denied.await, Err(FeeError::Denied(_))));
    })
    .await;
}

/// What all postings to the account of differences come to.
async fn variance_of(desk: &Desk<'_>) -> i64 {
    let rows = desk
        .rows(
            "SELECT e.amount_minor FROM ledger_entry e JOIN ledger_account a
                ON a.ledger_account_id = e.ledger_account_id
            WHERE a.kind = 'processing_variance'",
        )
        .await;
    let minor = |row: &mintreu_server::store::Row| row.int("amount_minor").expect("an amount");
    rows.iter().map(minor).sum()
}

#[tokio::test]
async fn what_the_provider_really_took_is_posted_once() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        // The sandbox's fee is the tariff's: nothing to post.
        desk.buy(1).await;
        assert_eq!(variance_of(&desk).await, 0);
        // The same event again, and a copy of it that says another fee, change nothing.
        let paid = desk.events().await;
        let body = paid.last().expect("an event").1.clone();
        assert!(body.contains("\"fee_minor\":172"), "{body}");
        desk.hand_over(&body).await;
        let dearer = body.replace("\"fee_minor\":172", "\"fee_minor\":500");
        desk.hand_over(&dearer).await;
        let renamed = dearer.replace("sev_", "sev_x");
        desk.hand_over(&renamed).await;
        test.drain().await;
        assert_eq!(variance_of(&desk).await, 0);
        // Every other way to pay says what it took in the one event that pays.
        let dear =
            desk.buy_told(|body: &str| body.replace("\"fee_minor\":172", "\"fee_minor\":245"));
        dear.await;
        assert_eq!(variance_of(&desk).await, 73);
        let cheap =
            desk.buy_told(|body: &str| body.replace("\"fee_minor\":172", "\"fee_minor\":148"));
        cheap.await;
        assert_eq!(variance_of(&desk).await, 73 - 24);
        // One that says nothing leaves it at the tariff.
        let silent = desk.buy_told(|body: &str| body.replace("\"fee_minor\":172,", ""));
        silent.await;
        assert_eq!(variance_of(&desk).await, 73 - 24);
        let rows = desk
            .rows("SELECT kind FROM ledger_transaction WHERE kind = 'variance'")
            .await;
        assert_eq!(rows.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn every_statement_prepares() {
    TestApp::both(async |test| {
        let queue = mintreu_server::domains::refunds::sql::queue::ALL;
        let books = mintreu_server::domains::ledger::sql::explore::ALL;
        let invoices = mintreu_server::domains::refunds::sql::invoices::ALL;
        let all = fees::sql::ALL.iter().chain(queue).chain(books);
        for statement in all.chain(invoices) {
            let prepared = test.app.store.prepare(statement).await;
            assert!(prepared.is_ok(), "{statement}: {prepared:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_example_is_divided_as_a_sale_would_be() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let product = product_of(&desk).await;
        let id = mintreu::id::ProductId::parse(&product).expect("an id");
        let (app, seller) = (&test.app, &desk.shop.seller);
        let example = async |what| {
            let sale = (Money::new(4_900, Currency::EUR), Traffic::Unknown);
            let split = flow::example(app, seller, sale, what).await;
            let split = split.expect("an example");
            (split.platform_fee.minor(), split.tax.minor())
        };
        assert_eq!(example((Some(id), "")).await, (735, 0));
        set(test, rule(Scope::Category, "tools", flat(1_700))).await;
        assert_eq!(example((None, "tools")).await, (833, 0));
        assert_eq!(example((None, "")).await, (735, 0));
        set(test, rule(Scope::Product, &product, flat(1_100))).await;
        crate::taxes::register(test, true).await;
        // 19 % within 49.00 are 7.82, and the share is of what is left.
        assert_eq!(example((Some(id), "tools")).await, (453, 782));
        let sold = desk.buy(1).await;
        assert_eq!(share(&desk, sold.order).await.0, 453);
    })
    .await;
}
