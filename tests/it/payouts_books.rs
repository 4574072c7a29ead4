//! Statements and balances over random histories, and a seller's pages.

use crate::payouts::{caller, earn, pay, seller, settle_in};
use crate::web_pages::{DEVELOPER, page, send, sign_in};
use axum::http::StatusCode;
use mintreu::id::AccountId;
use mintreu::{Currency, Money};
use mintreu_server::caller::Role;
use mintreu_server::demo;
use mintreu_server::domains::payouts::{
    MyPayouts, State, StatementQuery, balances, my_payouts, statement,
};
use mintreu_tests::TestApp;

/// A small generator, so that a failing history can be named by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

const ACCOUNTS: [&str; 6] = [
    "acct_ok",
    "acct_closed",
    "acct_refused",
    "acct_returns",
    "acct_reversed",
    "acct_late",
];

/// Everything that was ever posted to a seller comes back out of statements and balance.
async fn adds_up(test: &TestApp, account: AccountId, earned: i64, seed: u64) {
    let own = caller(test, account, Role::Developer);
    let query = MyPayouts {
        before: None,
        limit: 100,
    };
    let (payouts, _) = test
        .app
        .read(&own, query, my_payouts)
        .await
        .expect("payouts");
    let mut left = 0;
    let mut out = 0;
    for payout in payouts.iter().rev() {
        let query = StatementQuery {
            payout: payout.id,
            after: None,
        };
        let found = test
            .app
            .read(&own, query, statement)
            .await
            .expect("a statement");
        assert_eq!(found.closing.opening.minor(), left, "seed {seed}");
        let moved: i64 = found
            .lines
            .iter()
            .map(|line| line.movement.amount.minor())
            .sum();
        left += moved;
        assert_eq!(found.closing.closing.minor(), left, "seed {seed}");
        assert!(left >= 0, "seed {seed}: a payout left a debt of {left}");
        if matches!(payout.state, State::Paid | State::Created | State::Sending) {
            out += payout.amount.minor();
        }
    }
    let found = test.app.read(&own, (), balances).await.expect("balances");
    let available = found
        .balances
        .first()
        .map_or(0, |view| view.available.minor());
    assert_eq!(available + out, earned, "seed {seed}");
}

#[tokio::test]
async fn statements_add_up_to_balances_over_random_histories() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let mut dice = Dice(20_270_115);
        for round in 1..=6_u8 {
            let (account, seed) = (seller(round), dice.0);
            let mut earned = 0;
            for step in 0..20 {
                match dice.below(6) {
                    0..=2 => {
                        let minor = 1 + i64::try_from(dice.below(9_000)).expect("small");
                        earned += minor;
                        let sale = Money::new(minor, Currency::EUR);
                        earn(test, &format!("sale {step}"), account, sale).await;
                    }
                    3 => {
                        let minor = 1 + i64::try_from(dice.below(3_000)).expect("small");
                        earned -= minor;
                        let refund = Money::new(-minor, Currency::EUR);
                        earn(test, &format!("refund {step}"), account, refund).await;
                    }
                    4 => {
                        let name = ACCOUNTS[usize::try_from(dice.below(6)).expect("small")];
                        settle_in(test, account, name).await;
                        pay(test).await;
                    }
                    _ => {
                        test.clock.advance(crate::payouts::DAY);
                        test.drain().await;
                    }
                }
            }
            adds_up(test, account, earned, seed).await;
        }
        test.clock.advance(crate::payouts::DAY);
        test.drain().await;
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_seller_names_an_account_and_reads_the_statement() {
    let test = TestApp::sqlite().await;
    let people = demo::seed(&test.app).await.expect("the shop is filled");
    let people = people.expect("its people");
    let account = people
        .seller(DEVELOPER)
        .expect("a seller")
        .account
        .expect("an account");
    let server = test.serve().await;
    let browser = server.browser();
    sign_in(&browser, DEVELOPER).await;
    let home = "/sell/payouts";
    let first = page(&browser, home).await;
    assert!(
        first.contains("No payout yet") && first.contains("doesn’t know who you are"),
        "{first}"
    );
    let fields = |destination, threshold| {
        [
            ("currency", "eur"),
            ("destination", destination),
            ("threshold", threshold),
            ("wanted", "yes"),
        ]
    };
    for (destination, threshold) in [("DE89 3704", "25"), ("acct_ok", "9.99"), ("acct_ok", "x")] {
        let fields = fields(destination, threshold);
        let (status, _, body) = send(&browser, home, "/sell/payouts/settings", &fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            body.contains("aria-invalid=\"true\"") && body.contains(destination),
            "{body}"
        );
    }
    let (status, location, _) = send(
        &browser,
        home,
        "/sell/payouts/settings",
        &fields("acct_ok", "25.00"),
    )
    .await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/sell/payouts?saved=1")
    );
    settle_in(&test, account, "acct_ok").await;
    earn(&test, "sale", account, Money::new(123_456, Currency::EUR)).await;
    let paid = pay(&test).await.payouts;
    let paid = paid
        .iter()
        .find(|payout| payout.seller == account)
        .expect("a payout");
    let listed = page(&browser, home).await;
    assert!(
        listed.contains("SB-000001") && listed.contains("€1,234.56"),
        "{listed}"
    );
    let path = format!("/sell/payouts/{}", paid.id);
    let shown = page(&browser, &path).await;
    assert!(
        shown.contains("Opening balance") && shown.contains("\u{2212}€1,234.56"),
        "{shown}"
    );
    let pdf = browser.get(&format!("{path}/statement.pdf")).await;
    assert_eq!(pdf.headers()["content-type"], "application/pdf");
    let pdf = pdf.bytes().await.expect("a body");
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 5_000);
    let csv = page(&browser, &format!("{path}/statement.csv")).await;
    let amounts: Vec<_> = csv
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().unwrap_or_default())
        .collect();
    assert_eq!(amounts, ["0.00", "1234.56", "-1234.56", "0.00"], "{csv}");
    let stranger = server.browser();
    sign_in(&stranger, "priya@customer.example").await;
    assert_eq!(stranger.get(&path).await.status(), StatusCode::NOT_FOUND);
    let file = stranger.get(&format!("{path}/statement.pdf")).await;
    assert_eq!(file.status(), StatusCode::NOT_FOUND);
    server.stop().await;
    test.finish().await;
}
