//! Money of a granted wish that comes back: everybody sees it, and whoever is asked sends it again.

use crate::facts::{run_platform, sign_up};
use crate::money_back::Desk;
use crate::shop::{SELLER, Shop, person};
use crate::subscriptions::facts;
use crate::web_pages::{hidden, page, send, sign_in};
use crate::web_refunds::buy;
use crate::wishes::{by_platform, by_seller, newest, owner, step, verdict, wish, wished};
use crate::withdrawals::{ADA, bought};
use mintreu::id::{AccountId, PriceId, RefundWishId};
use mintreu::{Currency, Money};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::demo;
use mintreu_server::domains::wishes::{
    Answerer, Step, Verdict, WishError, WishState, WishesQuery, escalated, wishes_at,
};
use mintreu_tests::TestApp;

const INES: AccountId = AccountId::from_bytes(*b"ines owns it all");

/// A yes or a no without words.
fn silent(wish: RefundWishId, grant: bool) -> Verdict {
    Verdict {
        words: String::new(),
        ..verdict(wish, grant, None)
    }
}

/// How many mails somebody has of this subject.
fn mails(test: &TestApp, subject: &str, name: &str) -> usize {
    let (subject, to) = (
        format!("Subject: {subject}\r\n"),
        format!("To: {name}@example.org"),
    );
    let mails = test.mails();
    let of = mails
        .iter()
        .filter(|mail| mail.contains(&subject) && mail.contains(&to));
    of.count()
}

async fn listed(test: &TestApp, who: &Caller, state: Option<WishState>) -> Vec<RefundWishId> {
    let query = WishesQuery {
        state,
        before: None,
    };
    let found = test.app.read(who, query, wishes_at).await.expect("a list");
    found.iter().map(|wish| wish.id).collect()
}

#[tokio::test]
async fn what_a_seller_granted_and_came_back_is_seen_and_sent_again() {
    TestApp::both(async |test| {
        sign_up(test, ADA, "ada").await;
        sign_up(test, SELLER, "seller").await;
        let desk = Desk::open(test).await;
        let (ada, seller) = (person(test, ADA, Role::Customer), desk.shop.seller.clone());
        let paid = bought(&desk, &ada).await;
        let id = wish(test, &ada, wished(&paid, Some(2_000))).await;
        let id = id.expect("asks");
        let yes = by_seller(test, &seller, verdict(id, true, Some(1_500))).await;
        yes.expect("is granted");
        desk.hand_over_all().await;
        assert_eq!(listed(test, &seller, Some(WishState::Failed)).await, []);
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        let failed = newest(test, &ada, &paid).await;
        assert_eq!(failed.state, WishState::Failed);
        assert_eq!(failed.granted, Some(Money::new(1_500, Currency::EUR)));
        assert!(failed.failed_at.is_some());
        assert_eq!(desk.state(&paid).await, "paid");
        assert_eq!(facts(test, "refund_wish.failed").await, 1);
        for (subject, name) in [
            ("A refund that was granted did not arrive", "seller"),
            ("A refund of 15.00 EUR came back", "ada"),
        ] {
            assert_eq!(mails(test, subject, name), 1, "{subject}");
        }
        assert_eq!(listed(test, &seller, Some(WishState::Failed)).await, [id]);
        assert_eq!(listed(test, &seller, Some(WishState::Granted)).await, []);
        assert_eq!(listed(test, &seller, None).await, [id]);

        let other = person(test, AccountId::from_bytes([9; 16]), Role::Developer);
        let refused = by_seller(test, &other, silent(id, true)).await;
        assert!(matches!(refused, Err(WishError::NotFound)));
        let refused = by_platform(test, &owner(test), silent(id, true)).await;
        assert!(matches!(refused, Err(WishError::Moved(WishState::Failed))));
        let no = by_seller(test, &seller, verdict(id, false, None)).await;
        assert!(matches!(no, Err(WishError::Granted)), "{no:?}");
        let another = wish(test, &ada, wished(&paid, None)).await;
        assert!(matches!(another, Err(WishError::Waiting)));
        let again = by_seller(test, &seller, silent(id, true)).await;
        again.expect("is sent again");
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [1_500]);
        assert_eq!(desk.state(&paid).await, "partially_refunded");
        let granted = newest(test, &ada, &paid).await;
        assert_eq!(
            (granted.state, granted.failed_at),
            (WishState::Granted, None)
        );
        assert_eq!(granted.answer, "As you see it.", "what was said stands");
        let twice = by_seller(test, &seller, silent(id, true)).await;
        assert!(matches!(twice, Err(WishError::Moved(WishState::Granted))));
    })
    .await;
}

#[tokio::test]
async fn the_platform_is_asked_about_money_that_came_back_and_sends_again_what_it_granted() {
    TestApp::both(async |test| {
        const FAILED: &str = "A refund that was granted did not arrive";
        run_platform(test, INES, "ines").await;
        sign_up(test, SELLER, "seller").await;
        let desk = Desk::open(test).await;
        let (ada, seller) = (person(test, ADA, Role::Customer), desk.shop.seller.clone());
        let paid = bought(&desk, &ada).await;
        let id = wish(test, &ada, wished(&paid, None)).await.expect("asks");
        let yes = by_seller(test, &seller, verdict(id, true, None)).await;
        yes.expect("is granted");
        desk.hand_over_all().await;
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(mails(test, FAILED, "ines"), 0, "it is the seller's to do");
        let asks = step(test, &ada, (&paid, id), Step::AskPlatform).await;
        asks.expect("is asked");
        test.drain().await;
        assert_eq!(
            mails(test, "A refund wish waits for the platform", "ines"),
            1
        );
        let late = by_seller(test, &seller, silent(id, true)).await;
        assert!(matches!(late, Err(WishError::Moved(WishState::Escalated))));
        let yes = by_platform(test, &owner(test), silent(id, true)).await;
        yes.expect("is granted");
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "refunded");
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(mails(test, FAILED, "ines"), 1);
        assert_eq!(mails(test, FAILED, "seller"), 2);
        let query = WishesQuery {
            state: Some(WishState::Failed),
            before: None,
        };
        let found = test.app.read(&owner(test), query, escalated).await;
        assert_eq!(found.expect("a list").len(), 1);
        let once = step(test, &ada, (&paid, id), Step::AskPlatform).await;
        assert!(matches!(once, Err(WishError::Appeal)), "{once:?}");
        let no = by_seller(test, &seller, silent(id, true)).await;
        assert!(matches!(no, Err(WishError::Moved(WishState::Failed))));
        let again = by_platform(test, &owner(test), silent(id, true)).await;
        again.expect("is sent again");
        desk.hand_over_all().await;
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        let back = step(test, &ada, (&paid, id), Step::TakeBack).await;
        back.expect("was paid otherwise");
        assert_eq!(newest(test, &ada, &paid).await.state, WishState::TakenBack);
        test.drain().await;
    })
    .await;
}

#[tokio::test]
async fn money_that_went_back_otherwise_and_came_back_grants_nothing() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let (ada, seller) = (person(test, ADA, Role::Customer), desk.shop.seller.clone());
        let paid = bought(&desk, &ada).await;
        let id = wish(test, &ada, wished(&paid, None)).await.expect("asks");
        desk.refund(Desk::wish(&paid, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let granted = newest(test, &ada, &paid).await;
        assert_eq!(granted.answered_by, Some(Answerer::Elsewhere));
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(newest(test, &ada, &paid).await.state, WishState::Failed);
        // Another way covers it again.
        desk.refund(Desk::wish(&paid, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let granted = newest(test, &ada, &paid).await;
        assert_eq!(
            (granted.state, granted.failed_at),
            (WishState::Granted, None)
        );
        let late = by_seller(test, &seller, silent(id, true)).await;
        assert!(matches!(late, Err(WishError::Moved(WishState::Granted))));
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [4_900]);

        // It went and came back before either was told: nothing was granted.
        let quick = bought(&desk, &ada).await;
        wish(test, &ada, wished(&quick, None)).await.expect("asks");
        desk.refund(Desk::wish(&quick, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let covered = newest(test, &ada, &quick).await;
        assert_eq!(
            covered.state,
            WishState::Granted,
            "the control: it would be"
        );
        let third = bought(&desk, &ada).await;
        wish(test, &ada, wished(&third, None)).await.expect("asks");
        desk.refund(Desk::wish(&third, None))
            .await
            .expect("is asked");
        // The provider is asked and nothing is heard of it, until both are heard at once.
        let before = desk.events().await.len();
        test.drain().await;
        desk.fail_newest_refund().await;
        for (_, body) in &desk.events().await[before..] {
            desk.hand_over(body).await;
        }
        desk.settle().await;
        let waits = newest(test, &ada, &third).await;
        assert!(waits.state.is_due(), "{waits:?}");
        assert_eq!(desk.state(&third).await, "paid");
    })
    .await;
}

#[tokio::test]
async fn pages_say_what_came_back_and_what_to_do() {
    let test = TestApp::sqlite().await;
    let people = demo::seed(&test.app).await.expect("filled").expect("fresh");
    let server = test.serve().await;
    let (order, _) = buy(&test, &people).await;
    let [buyer, seller] = [0, 1].map(|_| server.browser());
    sign_in(&buyer, "priya@customer.example").await;
    sign_in(&seller, "mara@lichen.example").await;
    let own = format!("/orders/{order}/wishes");
    let form = page(&buyer, &own).await;
    let line = form.split("value=\"orl_").nth(1).expect("a line");
    let line = format!("orl_{}", line.split('"').next().expect("its id"));
    let sent = [
        ("step", "wish"),
        ("line", line.as_str()),
        ("reason", "defective"),
    ];
    let (status, _, body) = send(&buyer, &own, &own, &sent).await;
    assert_eq!(status.as_u16(), 303, "{body}");
    let wish = hidden(&page(&seller, "/sell/wishes").await, "wish");
    let desk_at = "/sell/wishes";
    let yes = [("wish", wish.as_str()), ("step", "grant")];
    let (status, _, body) = send(&seller, desk_at, desk_at, &yes).await;
    assert_eq!(status.as_u16(), 303, "{body}");
    test.drain().await;
    let desk = Desk {
        test: &test,
        shop: Shop {
            seller: test.system(),
            price: PriceId::from_bytes([0; 16]),
            free: PriceId::from_bytes([0; 16]),
        },
    };
    desk.fail_newest_refund().await;
    test.drain().await;
    let shown = page(&buyer, &own).await;
    for said in [
        "Didn’t arrive",
        "your bank didn’t take it",
        "Ask the platform",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let shown = page(&seller, "/sell/wishes?state=failed").await;
    for said in ["€79.00 came back", "Send it again"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(
        !page(&seller, "/sell/wishes?state=granted")
            .await
            .contains("Send it again")
    );
    let again = [("wish", wish.as_str()), ("step", "again")];
    let (status, _, body) = send(&seller, desk_at, desk_at, &again).await;
    assert_eq!(status.as_u16(), 303, "{body}");
    test.drain().await;
    assert!(page(&buyer, &own).await.contains("Granted"));
    let (status, list) = seller.get_json("/v1/wishes?state=granted").await;
    assert_eq!(
        (status.as_u16(), &list["wishes"][0]["wish_id"]),
        (200, &wish.into())
    );
    let (status, list) = seller.get_json("/v1/wishes?state=failed").await;
    assert_eq!(
        (status.as_u16(), &list["wishes"]),
        (200, &serde_json::json!([]))
    );
    let (status, problem) = seller.get_json("/v1/wishes?state=eaten").await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &"wish_state_unknown".into())
    );
    server.stop().await;
    test.finish().await;
}
