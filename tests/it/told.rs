//! Who gets a mail of what waits for them: sellers of what was withdrawn from, and who runs the platform.

use crate::facts::{bought_of_two, run, run_platform, sign_up};
use crate::money_back::Desk;
use crate::risk::{self, reviewed, ruled, terms};
use crate::shop::{SELLER, person};
use crate::wishes::{by_seller, step, verdict, wish, wished};
use crate::withdrawals::{ADA, bought};
use mintreu::Timestamp;
use mintreu::id::AccountId;
use mintreu_server::caller::Role;
use mintreu_server::domains::orders::access_token;
use mintreu_server::domains::risk::{Action, By, Counts, Terms};
use mintreu_server::domains::wishes::asking::ANSWER_MS;
use mintreu_server::domains::wishes::{Step, ViewWithdrawal, Withdraw, view_withdrawal, withdraw};
use mintreu_tests::TestApp;

const INES: AccountId = AccountId::from_bytes(*b"ines owns it all");
const OTTO: AccountId = AccountId::from_bytes(*b"otto owns it too");

/// Mails of this subject, each once for those who are named, and for nobody else.
fn told(test: &TestApp, subject: &str, names: &[&str]) -> Vec<String> {
    let line = format!("Subject: {subject}\r\n");
    let mut mails = test.mails();
    mails.retain(|mail| mail.contains(&line));
    assert_eq!(mails.len(), names.len(), "{subject}: {mails:?}");
    for name in names {
        let to = format!("To: {name}@example.org");
        let of: Vec<_> = mails.iter().filter(|mail| mail.contains(&to)).collect();
        assert_eq!(of.len(), 1, "{subject} to {name}: {mails:?}");
    }
    mails
}

#[tokio::test]
async fn the_seller_of_what_was_withdrawn_from_is_told_once_and_no_other() {
    TestApp::both(async |test| {
        const SUBJECT: &str = "A buyer withdrew from the contract";
        sign_up(test, SELLER, "seller").await;
        let desk = Desk::open(test).await;
        let paid = bought_of_two(&desk).await;
        let token = access_token(&test.app.keys, test.tenant(), paid.order);
        let view = ViewWithdrawal {
            order: paid.order,
            token: Some(token.reveal().to_owned()),
        };
        let guest = test.guest();
        let seen = test.app.read(&guest, view, view_withdrawal);
        let seen = seen.await.expect("is seen");
        let tool = seen.lines.iter().find(|line| line.title == "Other Tool");
        let mut command = Withdraw {
            order: paid.order,
            token: Some(token.reveal().to_owned()),
            line: tool.map(|line| line.line),
        };
        for _ in 0..2 {
            let done = test.app.transact(&guest, command.clone(), withdraw).await;
            done.expect("is declared, and twice is once");
        }
        test.drain().await;
        let mails = told(test, SUBJECT, &["other"]);
        assert!(mails[0].contains("Other Tool") && mails[0].contains("10.00 EUR"));
        assert!(!mails[0].contains("Acme Editor"), "{}", mails[0]);
        assert!(!mails[0].contains("guest@"), "it names no buyer");
        command.line = None;
        let done = test.app.transact(&guest, command, withdraw).await;
        done.expect("the rest is declared");
        desk.hand_over_all().await;
        told(test, SUBJECT, &["other", "seller"]);
    })
    .await;
}

#[tokio::test]
async fn who_runs_the_platform_is_told_of_a_wish_that_comes_to_it() {
    TestApp::both(async |test| {
        const SUBJECT: &str = "A refund wish waits for the platform";
        for (account, name) in [(INES, "ines"), (OTTO, "otto")] {
            run_platform(test, account, name).await;
        }
        sign_up(test, ADA, "ada").await;
        let desk = Desk::open(test).await;
        let ada = person(test, ADA, Role::Customer);
        let (paid, silent) = (bought(&desk, &ada).await, bought(&desk, &ada).await);
        let id = wish(test, &ada, wished(&paid, None)).await.expect("asks");
        let no = by_seller(test, &desk.shop.seller, verdict(id, false, None)).await;
        no.expect("is declined");
        told(test, SUBJECT, &[]);
        for _ in 0..2 {
            let asks = step(test, &ada, (&paid, id), Step::AskPlatform).await;
            asks.expect("asks the platform, and twice is once");
        }
        test.drain().await;
        let mails = told(test, SUBJECT, &["ines", "otto"]);
        for said in ["It breaks.", "As you see it.", "/owner/wishes", "49.00 EUR"] {
            assert!(mails[0].contains(said), "{said}: {}", mails[0]);
        }
        told(
            test,
            "The platform looks at your wish for a refund",
            &["ada"],
        );
        wish(test, &ada, wished(&silent, None)).await.expect("asks");
        let late = test.app.now().ms() + ANSWER_MS;
        test.clock.set(Timestamp::from_ms(late));
        test.drain().await;
        let all = ["ines", "otto"];
        let line = format!("Subject: {SUBJECT}\r\n");
        for name in all {
            let to = format!("To: {name}@example.org");
            let mails = test.mails();
            let of = mails
                .iter()
                .filter(|mail| mail.contains(&line) && mail.contains(&to));
            assert_eq!(of.count(), 2, "one a case to {name}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_runs_the_platform_is_told_of_an_order_that_is_held_for_their_look() {
    TestApp::both(async |test| {
        const SUBJECT: &str = "An order waits for your look";
        let desk = Desk::open(test).await;
        run_platform(test, INES, "ines").await;
        // Who may sign in no more is told of nothing.
        run_platform(test, OTTO, "otto").await;
        shut_out(test, OTTO).await;
        let review = Terms {
            action: Action::Review,
            ..terms(Counts::Attempts, By::Network, 1)
        };
        ruled(test, review).await;
        let order = reviewed(&desk).await;
        desk.hand_over_all().await;
        let mails = told(test, SUBJECT, &["ines"]);
        for said in [order.to_string().as_str(), "49.00 EUR", "/owner/risk"] {
            assert!(mails[0].contains(said), "{said}: {}", mails[0]);
        }
        risk::decide(&desk, order, false).await.expect("is let go");
        desk.hand_over_all().await;
        told(test, SUBJECT, &["ines"]);
    })
    .await;
}

async fn shut_out(test: &TestApp, account: AccountId) {
    let sql = "UPDATE account SET disabled_at = 0 WHERE account_id = :account";
    run(test, sql, vec![("account", account.as_bytes().into())]).await;
}
