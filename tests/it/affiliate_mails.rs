//! What affiliates are told by mail: of their part, of each day that changed something, of payouts.

use crate::affiliates::{
    DAY_MS, HELPER, OPEN, OTHER, brought, buys, follows, joined, open, recommended,
};
use crate::facts::sign_up;
use crate::money_back::Desk;
use crate::shop::{SELLER, person};
use mintreu::id::AffiliationId;
use mintreu_server::caller::Role;
use mintreu_server::domains::affiliates::{ReferralState, SetPartner, set_partner};
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::TestApp;

const DIGEST: &str = "What you earned by recommending";

/// Mails to somebody of this subject, the oldest first.
fn mails(test: &TestApp, subject: &str, name: &str) -> Vec<String> {
    let subject = format!("Subject: {subject}\r\n");
    let to = format!("To: {name}@example.org");
    let mut mails = test.mails();
    mails.retain(|mail| mail.contains(&subject) && mail.contains(&to));
    mails
}

async fn days(test: &TestApp, count: u32) {
    for _ in 0..count {
        test.clock.advance(DAY_MS);
        test.drain().await;
    }
}

#[tokio::test]
async fn who_joins_is_told_once_and_of_a_part_that_ends_or_goes_on() {
    TestApp::both(async |test| {
        sign_up(test, HELPER, "helper").await;
        let desk = Desk::open(test).await;
        open(test, OPEN).await;
        let part = joined(test, HELPER).await;
        joined(test, HELPER).await;
        test.drain().await;
        let told = mails(test, "You take part in the programme of Acme", "helper");
        assert_eq!(told.len(), 1);
        let link = format!("/?via=3D{}", part.code);
        for said in ["8 %", "/affiliate"] {
            assert!(told[0].contains(said), "{said}: {}", told[0]);
        }
        assert!(told[0].contains(&link) || told[0].contains(&link.replace("3D", "")));
        for suspended in [true, true, false, true] {
            say(&desk, part.id, suspended).await;
        }
        let ended = mails(test, "Acme ended your part in its programme", "helper");
        assert_eq!(ended.len(), 2, "once each time");
        let again = "You take part in the programme of Acme again";
        assert_eq!(mails(test, again, "helper").len(), 1);
    })
    .await;
}

async fn say(desk: &Desk<'_>, affiliation: AffiliationId, suspended: bool) {
    let command = SetPartner {
        affiliation,
        suspended,
        coupon: String::new(),
    };
    let seller = person(desk.test, SELLER, Role::Developer);
    let said = desk.test.app.transact(&seller, command, set_partner).await;
    said.expect("is said");
    desk.test.drain().await;
}

#[tokio::test]
async fn a_day_is_told_in_one_mail_and_a_day_without_a_change_in_none() {
    TestApp::both(async |test| {
        sign_up(test, HELPER, "helper").await;
        sign_up(test, OTHER, "other").await;
        // The provider tells of payouts by webhook.
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        let code = recommended(test).await;
        joined(test, OTHER).await;
        let by = follows(test, &code, "192.0.2.1").await;
        let mut sold = Vec::new();
        for _ in 0..3 {
            let item = Item::new(desk.shop.price, 3);
            sold.push(buys(&desk, &test.guest(), (item, by.clone())).await);
        }
        test.drain().await;
        assert_eq!(mails(test, DIGEST, "helper").len(), 0, "the day isn't over");
        days(test, 3).await;
        let told = mails(test, DIGEST, "helper");
        assert_eq!(told.len(), 1, "{told:?}");
        for said in ["Sold 3 times", "35.28 EUR"] {
            assert!(told[0].contains(said), "{said}: {}", told[0]);
        }
        // A refund and a bank take of it.
        desk.refund(Desk::wish(&sold[0], None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert!(desk.raise(&sold[1], ObjectState::Opened).await);
        desk.hand_over_all().await;
        days(test, 2).await;
        let told = mails(test, DIGEST, "helper");
        assert_eq!(told.len(), 2);
        let told = told.iter().find(|mail| mail.contains("23.52 EUR"));
        let told = told.expect("what was taken of two");
        assert!(
            told.contains("Taken back") && !told.contains("Sold"),
            "{told}"
        );
        assert!(desk.decide(&sold[1], ObjectState::Won).await);
        desk.hand_over_all().await;
        days(test, 2).await;
        let given = mails(test, DIGEST, "helper");
        assert_eq!(given.len(), 3);
        assert!(given.iter().any(|mail| mail.contains("Given again")));
        // The days of two of them are over, and then they are paid.
        days(test, 9).await;
        assert_eq!(brought(test, HELPER).await[0].1, ReferralState::Approved);
        let told = mails(test, DIGEST, "helper");
        assert_eq!(told.len(), 4);
        let told = told.iter().find(|mail| mail.contains("Confirmed: 2 sales"));
        assert!(told.expect("a mail").contains("23.52 EUR"));
        days(test, 8).await;
        assert_eq!(brought(test, HELPER).await[0].1, ReferralState::Paid);
        assert_eq!(mails(test, DIGEST, "helper").len(), 4, "nothing changed");
        let paid = mails(test, "Your payout of 23.52 EUR was sent", "helper");
        assert_eq!(paid.len(), 1);
        assert_eq!(
            mails(test, DIGEST, "other").len(),
            0,
            "it was none of theirs"
        );
        let left = desk.rows("SELECT kind FROM affiliate_news").await;
        assert_eq!(left.len(), 0, "what was told is forgotten");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_bank_asks_about_is_confirmed_when_it_has_decided() {
    TestApp::both(async |test| {
        sign_up(test, HELPER, "helper").await;
        let desk = Desk::open(test).await;
        let code = recommended(test).await;
        let by = follows(test, &code, "192.0.2.1").await;
        let item = Item::new(desk.shop.price, 1);
        let sold = buys(&desk, &test.guest(), (item, by)).await;
        assert!(desk.raise(&sold, ObjectState::Inquired).await);
        desk.hand_over_all().await;
        days(test, 16).await;
        let confirmed = |test: &TestApp| {
            let told = mails(test, DIGEST, "helper");
            told.iter()
                .filter(|mail| mail.contains("Confirmed"))
                .count()
        };
        assert_eq!(confirmed(test), 0, "the bank asks");
        assert!(desk.decide(&sold, ObjectState::Won).await);
        desk.hand_over_all().await;
        days(test, 2).await;
        assert_eq!(confirmed(test), 1);
    })
    .await;
}
