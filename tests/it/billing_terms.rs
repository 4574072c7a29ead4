//! Commitments, prepaid credits, prices by dimension, early bills, rated lines and usage reports.

use crate::metered::{CUSTOMER, Device, SELLER, Sold, person, report, sold, sold_to};
use mintreu::Timestamp;
use mintreu::id::LicenseId;
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::billing::{
    BillNow, Billed, BillingError, Cadence, ClosePeriod, CreditsOfLicense, GrantCredit, Held,
    LicenseUsage, RatedLine, RatedLines, SetTerms, TermsOf, UsageOfLicense, WishReports, bill_now,
    close_period, credits_of_license, grant_credit, license_usage, rated_lines, set_terms,
    wish_reports,
};
use mintreu_server::domains::metering::{Grain, Window};
use mintreu_tests::TestApp;
use serde_json::json;

const DAY_MS: u32 = 86_400_000;
const TARIFFS: [&str; 2] = ["EUR per_unit 0.01; free 1000", "EUR per_unit 0.00"];

async fn close(test: &TestApp, license: LicenseId, period: i64) -> Billed {
    let command = ClosePeriod { license, period };
    let system = test.system();
    let closed = test.app.transact(&system, command, close_period);
    closed.await.expect("closes")
}

async fn bill(test: &TestApp, sold: &Sold) -> Billed {
    let license = sold.license;
    let billed = test
        .app
        .transact(&sold.customer, BillNow { license }, bill_now);
    billed.await.expect("bills")
}

async fn set(
    test: &TestApp,
    caller: &Caller,
    of: TermsOf,
    (commitment_minor, threshold_minor): (i64, i64),
) -> Result<(), BillingError> {
    let command = SetTerms {
        of,
        commitment_minor,
        threshold_minor,
    };
    test.app
        .transact(caller, command, set_terms)
        .await
        .map(|_| ())
}

fn grant(license: LicenseId, meter: Option<&str>, amount: i64) -> GrantCredit {
    GrantCredit {
        license,
        meter: meter.map(str::to_owned),
        amount,
        priority: 0,
        expires_at: None,
        note: String::new(),
    }
}

async fn granted(test: &TestApp, caller: &Caller, grant: GrantCredit) -> Result<(), BillingError> {
    test.app
        .transact(caller, grant, grant_credit)
        .await
        .map(|_| ())
}

async fn lines(test: &TestApp, sold: &Sold) -> Vec<RatedLine> {
    let license = sold.license;
    let query = RatedLines {
        license,
        until: None,
    };
    let lines = test.app.read(&sold.customer, query, rated_lines);
    lines.await.expect("are shown")
}

async fn usage(test: &TestApp, sold: &Sold) -> LicenseUsage {
    let window = Window::ending_at(test.app.now(), Grain::Day, 3);
    let license = sold.license;
    let query = UsageOfLicense { license, window };
    let usage = test.app.read(&sold.customer, query, license_usage);
    usage.await.expect("is shown")
}

fn said(lines: &[RatedLine]) -> Vec<&str> {
    lines.iter().map(|line| line.explanation.as_str()).collect()
}

fn cents(billed: &Billed) -> Option<i64> {
    match billed {
        Billed::Invoiced(invoice) => Some(invoice.total.minor()),
        Billed::Nothing => Some(0),
        Billed::Unchanged => None,
    }
}

/// Each bill's lines add up to its invoice, and are numbered from one.
fn add_up(lines: &[RatedLine], (period, bill): (i64, i64), expected: i64) {
    let of_bill = lines
        .iter()
        .filter(|line| (line.period, line.bill) == (period, bill));
    let of_bill: Vec<_> = of_bill.collect();
    let sum: i64 = of_bill.iter().map(|line| line.amount.minor()).sum();
    assert_eq!(
        sum, expected,
        "bill {bill} of period {period}: {of_bill:#?}"
    );
    let positions: Vec<_> = of_bill.iter().map(|line| line.position).collect();
    assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_commitment_is_made_up_when_the_period_ends_and_only_then() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let seller = TermsOf::License(sold.license);
        let raised = set(test, &sold.seller, seller, (100, 0)).await;
        assert!(matches!(raised, Err(BillingError::Terms(_))), "{raised:?}");
        // New plans begin with the product's terms.
        let product = TermsOf::Product(sold.product);
        let foreign = set(test, &sold.customer, product, (100, 0)).await;
        assert!(
            matches!(foreign, Err(BillingError::NotFound)),
            "{foreign:?}"
        );
        set(test, &sold.seller, product, (2_000, 0))
            .await
            .expect("are set");
        let sold = again(test, &sold).await;
        let mut device = Device::activated(test, 2, sold.license).await;
        report(test, &device.seal(test, 1_500, 3))
            .await
            .expect("is believed");
        assert_eq!(
            cents(&bill(test, &sold).await),
            Some(500),
            "no commitment yet"
        );
        let seen = usage(test, &sold).await;
        assert_eq!((seen.cost.minor(), seen.open.minor()), (500, 0));
        assert!(seen.projected.minor() >= 2_000, "{}", seen.projected);
        test.clock.advance(31 * DAY_MS);
        assert_eq!(cents(&close(test, sold.license, 0).await), Some(1_500));
        let kept = lines(test, &sold).await;
        add_up(&kept, (0, 0), 500);
        add_up(&kept, (0, 1), 1_500);
        assert_eq!(
            said(&kept)[..4],
            [
                "1000 free",
                "500 × 0.01 = 5.00 EUR",
                "invoiced before, -5.00 EUR",
                "up to the commitment, 15.00 EUR"
            ]
        );
        assert!(kept.iter().all(|line| line.invoice.is_some()));
        // It can fall, and a period without usage still comes to it.
        let fallen = TermsOf::License(sold.license);
        set(test, &sold.seller, fallen, (700, 0))
            .await
            .expect("falls");
        test.clock.advance(31 * DAY_MS);
        assert_eq!(cents(&close(test, sold.license, 1).await), Some(700));
    })
    .await;
}

/// Another license of the same product.
async fn again(test: &TestApp, sold: &Sold) -> Sold {
    let license = crate::metered::sell_again(test, sold.product, CUSTOMER).await;
    Sold {
        seller: sold.seller.clone(),
        customer: sold.customer.clone(),
        product: sold.product,
        license,
        trust: sold.trust.clone(),
    }
}

#[tokio::test]
async fn credits_burn_once_in_their_order_and_pay_before_money() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let license = sold.license;
        let (seller, soon) = (&sold.seller, test.app.now().plus_ms(i64::from(DAY_MS) * 40));
        let stranger = person(test, CUSTOMER, Role::Customer);
        let refused = granted(test, &stranger, grant(license, None, 500)).await;
        assert!(
            matches!(refused, Err(BillingError::NotFound)),
            "{refused:?}"
        );
        for bad in [
            grant(license, None, 0),
            grant(license, Some("pixels"), 5),
            GrantCredit {
                expires_at: Some(test.app.now()),
                ..grant(license, None, 5)
            },
            GrantCredit {
                note: "a\nb".into(),
                ..grant(license, None, 5)
            },
        ] {
            let refused = granted(test, seller, bad).await;
            assert!(
                matches!(refused, Err(BillingError::Credit(_))),
                "{refused:?}"
            );
        }
        for credit in [
            GrantCredit {
                priority: 1,
                note: "gift".into(),
                ..grant(license, None, 700)
            },
            GrantCredit {
                expires_at: Some(soon),
                ..grant(license, None, 200)
            },
            grant(license, Some("calls"), 300),
        ] {
            granted(test, seller, credit).await.expect("is granted");
        }
        let mut device = Device::activated(test, 1, license).await;
        report(test, &device.seal(test, 1_500, 0))
            .await
            .expect("is believed");
        // 1000 free, 300 prepaid, 200 for 2.00, which the credit that ends pays.
        let seen = usage(test, &sold).await;
        assert_eq!(
            (seen.cost.minor(), seen.meters[0].prepaid_units),
            (200, 300)
        );
        assert_eq!(
            cents(&bill(test, &sold).await),
            Some(0),
            "credits pay all of it"
        );
        assert_eq!(
            cents(&bill(test, &sold).await),
            Some(0),
            "asking again burns nothing"
        );
        report(test, &device.seal(test, 2_500, 0))
            .await
            .expect("is believed");
        test.clock.advance(31 * DAY_MS);
        assert_eq!(
            cents(&close(test, license, 0).await),
            Some(300),
            "12.00 - 2.00 - 7.00"
        );
        assert_eq!(close(test, license, 0).await, Billed::Unchanged);
        let kept = lines(test, &sold).await;
        assert_eq!(
            said(&kept),
            [
                "1000 free",
                "300 prepaid",
                "1200 × 0.01 = 12.00 EUR",
                "invoiced before, -2.00 EUR",
                "paid by credit (gift), -7.00 EUR",
                "1000 free",
                "300 prepaid",
                "200 × 0.01 = 2.00 EUR",
                "paid by credit, -2.00 EUR",
            ]
        );
        add_up(&kept, (0, 0), 0);
        add_up(&kept, (0, 1), 300);
        let query = CreditsOfLicense { license };
        let credits = test
            .app
            .read(&sold.customer, query, credits_of_license)
            .await;
        let credits = credits.expect("are shown");
        assert!(
            credits.iter().all(|credit| credit.left.is_nothing()),
            "{credits:#?}"
        );
        assert!(
            credits
                .iter()
                .any(|credit| matches!(credit.granted, Held::Units { .. }))
        );
        // The next period has free units again and no credit.
        report(test, &device.seal(test, 4_000, 0))
            .await
            .expect("is believed");
        test.clock.advance(31 * DAY_MS);
        assert_eq!(cents(&close(test, license, 1).await), Some(500));
    })
    .await;
}

#[tokio::test]
async fn an_expired_credit_pays_nothing() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let license = sold.license;
        let end = test.app.now().plus_ms(i64::from(DAY_MS));
        let credit = GrantCredit {
            expires_at: Some(end),
            ..grant(license, None, 500)
        };
        granted(test, &sold.seller, credit)
            .await
            .expect("is granted");
        let mut device = Device::activated(test, 1, license).await;
        report(test, &device.seal(test, 1_300, 0))
            .await
            .expect("is believed");
        test.clock.advance(DAY_MS);
        assert_eq!(cents(&bill(test, &sold).await), Some(300));
    })
    .await;
}

#[tokio::test]
async fn a_price_by_dimension_is_rated_by_what_the_device_counted() {
    let matrix = "EUR matrix model=big:1.00 model=small:0.10 *:0.01; free 2";
    TestApp::both(async |test| {
        let sold = sold(test, [matrix, TARIFFS[1]]).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let split = [("big", 5), ("small", 30), ("other", 7)];
        report(test, &device.seal_split(test, "model", &split))
            .await
            .expect("is believed");
        test.clock.advance(31 * DAY_MS);
        assert_eq!(
            cents(&close(test, sold.license, 0).await),
            Some(300 + 300 + 7)
        );
        let kept = lines(test, &sold).await;
        assert_eq!(
            said(&kept),
            [
                "2 free",
                "3 (model=big) × 1.00 = 3.00 EUR",
                "30 (model=small) × 0.10 = 3.00 EUR",
                "7 (*) × 0.01 = 0.07 EUR"
            ]
        );
        assert_eq!(kept[1].dimension.as_deref(), Some("model=big"));
        // What is settled is settled by row: only what came since is rated.
        let split = [("big", 5), ("small", 42), ("other", 7)];
        report(test, &device.seal_split(test, "model", &split))
            .await
            .expect("is believed");
        test.clock.advance(31 * DAY_MS);
        assert_eq!(cents(&close(test, sold.license, 1).await), Some(100));
    })
    .await;
}

#[tokio::test]
async fn a_threshold_bills_early_once_each_time_it_is_passed() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let of = TermsOf::License(sold.license);
        set(test, &sold.seller, of, (0, 1_000))
            .await
            .expect("are set");
        set(test, &sold.seller, of, (0, 1_000))
            .await
            .expect("are set again");
        let mut device = Device::activated(test, 1, sold.license).await;
        for (calls, bills) in [(1_999, 0), (2_000, 1), (2_500, 1), (3_500, 2)] {
            report(test, &device.seal(test, calls, 0))
                .await
                .expect("is believed");
            test.clock.advance(DAY_MS);
            for _ in 0..2 {
                test.drain().await;
            }
            let seen = usage(test, &sold).await;
            assert_eq!(seen.invoices.len(), bills, "at {calls}");
        }
        let kept = lines(test, &sold).await;
        add_up(&kept, (0, 0), 1_000);
        add_up(&kept, (0, 1), 1_500);
        test.clock.advance(31 * DAY_MS);
        test.drain().await;
        assert_eq!(
            usage(test, &sold).await.invoices.len(),
            2,
            "nothing was left"
        );
    })
    .await;
}

#[tokio::test]
async fn reports_are_told_once_each_time_and_not_to_who_wants_none() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let body = json!({
            "email": "ada@buyer.example", "name": "Ada", "password": "a tame raven sings",
        });
        let (status, account) = server.browser().post_json("/v1/accounts", &body).await;
        assert_eq!(status, 201, "{account}");
        server.stop().await;
        let id = account["account_id"].as_str().expect("an id");
        let sold = sold_to(test, TARIFFS, id.parse().expect("an id")).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 1_234, 5))
            .await
            .expect("is believed");
        let reports = || {
            let mails = test.mails();
            let about = |mail: &String| mail.contains("Subject: Your usage so far");
            mails.into_iter().filter(about).collect::<Vec<_>>()
        };
        test.drain().await;
        assert!(reports().is_empty(), "the first is due in a month");
        let wish = |cadence| {
            test.app
                .transact(&sold.customer, WishReports { cadence }, wish_reports)
        };
        wish(Cadence::Weekly).await.expect("is kept");
        wish(Cadence::Weekly).await.expect("is kept");
        test.clock.advance(7 * DAY_MS);
        for _ in 0..3 {
            test.drain().await;
        }
        let told = reports();
        assert_eq!(told.len(), 1, "{told:#?}");
        for words in [
            "ada@buyer.example",
            "Acme API",
            "1234 call, 2.34 EUR",
            "/usage#reports",
        ] {
            assert!(told[0].contains(words), "{words} in {}", told[0]);
        }
        // After a pause of weeks one report, and then again each week.
        test.clock.advance(20 * DAY_MS);
        test.drain().await;
        assert_eq!(reports().len(), 2);
        test.clock.advance(7 * DAY_MS);
        test.drain().await;
        assert_eq!(reports().len(), 3);
        wish(Cadence::Never).await.expect("is kept");
        test.clock.advance(40 * DAY_MS);
        test.drain().await;
        assert_eq!(reports().len(), 3, "who wants none gets none");
    })
    .await;
}

#[tokio::test]
async fn many_who_close_and_bill_at_once_burn_a_credit_once() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let license = sold.license;
        granted(test, &sold.seller, grant(license, None, 250))
            .await
            .expect("is granted");
        let mut device = Device::activated(test, 1, license).await;
        report(test, &device.seal(test, 2_000, 0))
            .await
            .expect("is believed");
        let mut askers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (app, customer) = (test.app.clone(), sold.customer.clone());
            askers.spawn(async move {
                app.transact(&customer, BillNow { license }, bill_now)
                    .await
                    .expect("bills")
            });
        }
        let billed = askers.join_all().await;
        let invoiced: Vec<_> = billed
            .iter()
            .filter_map(cents)
            .filter(|cents| *cents > 0)
            .collect();
        assert_eq!(invoiced, [750]);
        let seller = person(test, SELLER, Role::Developer);
        let query = CreditsOfLicense { license };
        let left = test
            .app
            .read(&seller, query, credits_of_license)
            .await
            .expect("are shown");
        assert!(left[0].left.is_nothing());
        assert!(left[0].created_at < Timestamp::from_ms(i64::MAX));
        add_up(&lines(test, &sold).await, (0, 0), 750);
    })
    .await;
}
