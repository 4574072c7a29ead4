//! Buyers who wish for refunds: sellers and the platform answer, in time or not, and once.

use crate::facts::sign_up;
use crate::money_back::{Desk, Paid};
use crate::shop::person;
use crate::subscriptions::facts;
use crate::web_pages::{hidden, page, send, sign_in};
use crate::web_refunds::buy;
use crate::withdrawals::{ADA, bought};
use mintreu::id::{AccountId, RefundWishId};
use mintreu::{Currency, Money, Timestamp};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::demo;
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::refunds::{Reason, RefundError};
use mintreu_server::domains::wishes::{
    AnswerEscalated, AnswerWish, Answerer, GoOn, OpenWish, OwnOrder, Step, Verdict, Wish,
    WishError, WishState, WishesQuery, answer_escalated, answer_wish, escalated, go_on, open_wish,
    own_wishes, wishes_at,
};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::TestApp;
use serde_json::{Value, json};

const DAY: i64 = 24 * HOUR;
const HOUR: i64 = 60 * 60 * 1000;

/// Who runs the platform.
pub fn owner(test: &TestApp) -> Caller {
    person(
        test,
        AccountId::from_bytes(*b"the shop's owner"),
        Role::Admin,
    )
}

pub fn wished(paid: &Paid, amount_minor: Option<i64>) -> OpenWish {
    OpenWish {
        of: own(paid),
        line: paid.line,
        reason: Reason::Defective,
        words: " It breaks. ".to_owned(),
        amount_minor,
    }
}

fn own(paid: &Paid) -> OwnOrder {
    OwnOrder {
        order: paid.order,
        token: None,
    }
}

pub async fn wish(
    test: &TestApp,
    who: &Caller,
    wanted: OpenWish,
) -> Result<RefundWishId, WishError> {
    let made = test.app.transact(who, wanted, open_wish).await?;
    Ok(RefundWishId::parse(&made).expect("an id"))
}

pub fn verdict(wish: RefundWishId, grant: bool, amount_minor: Option<i64>) -> Verdict {
    Verdict {
        wish,
        grant,
        amount_minor,
        words: "As you see it.".to_owned(),
    }
}

pub async fn by_seller(test: &TestApp, who: &Caller, of: Verdict) -> Result<(), WishError> {
    test.app.transact(who, AnswerWish(of), answer_wish).await
}

pub async fn by_platform(test: &TestApp, who: &Caller, of: Verdict) -> Result<(), WishError> {
    let command = AnswerEscalated(of);
    test.app.transact(who, command, answer_escalated).await
}

pub async fn step(
    test: &TestApp,
    who: &Caller,
    (paid, wish): (&Paid, RefundWishId),
    step: Step,
) -> Result<(), WishError> {
    let of = own(paid);
    test.app.transact(who, GoOn { of, wish, step }, go_on).await
}

/// The newest wish of an order.
pub async fn newest(test: &TestApp, who: &Caller, paid: &Paid) -> Wish {
    let found = test.app.read(who, own(paid), own_wishes).await;
    found.expect("are seen").pop().expect("a wish")
}

/// A wish that is taken back, and one that is declined, taken to the platform and granted, whose money
/// comes back and is sent again.
pub async fn every_step(desk: &Desk<'_>, buyer: &Caller) {
    let test = desk.test;
    let item = Item::new(desk.shop.price, 1);
    let paid = desk.buy_as(buyer, item, 4_900, &[]).await;
    let first = wish(test, buyer, wished(&paid, None)).await.expect("asks");
    let back = step(test, buyer, (&paid, first), Step::TakeBack).await;
    back.expect("is taken back");
    let second = wish(test, buyer, wished(&paid, None)).await.expect("asks");
    let no = by_seller(test, &desk.shop.seller, verdict(second, false, None)).await;
    no.expect("is declined");
    let asks = step(test, buyer, (&paid, second), Step::AskPlatform).await;
    asks.expect("is escalated");
    let yes = by_platform(test, &owner(test), verdict(second, true, None)).await;
    yes.expect("is granted");
    desk.hand_over_all().await;
    assert_eq!(desk.sent_back(&paid).await, [4_900]);
    desk.fail_newest_refund().await;
    desk.hand_over_all().await;
    let again = by_platform(test, &owner(test), verdict(second, true, None)).await;
    again.expect("is sent again");
    desk.hand_over_all().await;
    assert_eq!(desk.sent_back(&paid).await, [4_900]);
}

#[tokio::test]
async fn a_seller_grants_a_part_or_declines_and_the_platform_is_asked_once() {
    TestApp::both(async |test| {
        sign_up(test, ADA, "ada").await;
        let desk = Desk::open(test).await;
        let (ada, seller) = (person(test, ADA, Role::Customer), desk.shop.seller.clone());
        let paid = bought(&desk, &ada).await;
        for (wrong, of) in [(0, &ada), (4_901, &ada)] {
            let refused = wish(test, of, wished(&paid, Some(wrong))).await;
            assert!(
                matches!(refused, Err(WishError::OutOfRange { .. })),
                "{wrong}"
            );
        }
        let long = OpenWish {
            words: "x".repeat(1_001),
            ..wished(&paid, None)
        };
        assert!(matches!(
            wish(test, &ada, long).await,
            Err(WishError::Words)
        ));
        for reason in [Reason::Fraud, Reason::Withdrawal] {
            let given = OpenWish {
                reason,
                ..wished(&paid, None)
            };
            let refused = wish(test, &ada, given).await;
            assert!(matches!(refused, Err(WishError::Reason)));
        }
        let id = wish(test, &ada, wished(&paid, Some(2_000)))
            .await
            .expect("asks");
        let again = wish(test, &ada, wished(&paid, None)).await;
        assert!(matches!(again, Err(WishError::Waiting)));

        let other = person(test, AccountId::from_bytes([9; 16]), Role::Developer);
        let refused = wish(test, &other, wished(&paid, None)).await;
        assert!(matches!(refused, Err(WishError::Order(_))));
        let refused = step(test, &other, (&paid, id), Step::TakeBack).await;
        assert!(matches!(refused, Err(WishError::Order(_))));
        let refused = by_seller(test, &other, verdict(id, true, None)).await;
        assert!(matches!(refused, Err(WishError::NotFound)));
        let list = test
            .app
            .read(&other, WishesQuery::default(), wishes_at)
            .await;
        assert!(list.expect("a list").is_empty());
        let list = test
            .app
            .read(&seller, WishesQuery::default(), wishes_at)
            .await;
        assert_eq!(list.expect("a list").len(), 1);
        let refused = test
            .app
            .read(&seller, WishesQuery::default(), escalated)
            .await;
        assert!(matches!(refused, Err(WishError::Denied(_))));
        let refused = by_platform(test, &owner(test), verdict(id, true, None)).await;
        assert!(matches!(refused, Err(WishError::Moved(WishState::Open))));

        let silent = Verdict {
            words: " ".to_owned(),
            ..verdict(id, false, None)
        };
        let refused = by_seller(test, &seller, silent).await;
        assert!(matches!(refused, Err(WishError::Words)));
        let more = by_seller(test, &seller, verdict(id, true, Some(2_001))).await;
        assert!(matches!(more, Err(WishError::OutOfRange { .. })));
        let yes = by_seller(test, &seller, verdict(id, true, Some(1_500))).await;
        yes.expect("is granted");
        let again = by_seller(test, &seller, verdict(id, true, None)).await;
        assert!(matches!(again, Err(WishError::Moved(WishState::Granted))));
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [1_500]);
        let granted = newest(test, &ada, &paid).await;
        assert_eq!(granted.answered_by, Some(Answerer::Seller));
        assert_eq!(
            (granted.words.as_str(), granted.refund.is_some()),
            ("It breaks.", true)
        );
        assert_eq!(granted.granted, Some(Money::new(1_500, Currency::EUR)));
        let mails = test.mails();
        let subject = "Subject: Your wish for a refund was granted in part";
        let told: Vec<_> = mails.iter().filter(|mail| mail.contains(subject)).collect();
        assert_eq!(told.len(), 1, "{mails:?}");
        for said in ["To: ada@", "20.00 EUR", "15.00 EUR"] {
            assert!(told[0].contains(said), "{said}: {}", told[0]);
        }

        let id = wish(test, &ada, wished(&paid, None))
            .await
            .expect("the rest");
        let no = by_seller(test, &seller, verdict(id, false, None)).await;
        no.expect("is declined");
        let asked = step(test, &ada, (&paid, id), Step::AskPlatform).await;
        asked.expect("is asked");
        let no = by_platform(test, &owner(test), verdict(id, false, None)).await;
        no.expect("is declined");
        let asked = step(test, &ada, (&paid, id), Step::AskPlatform).await;
        assert!(matches!(asked, Err(WishError::Appeal)), "once");

        let id = wish(test, &ada, wished(&paid, None))
            .await
            .expect("once more");
        let no = by_seller(test, &seller, verdict(id, false, None)).await;
        no.expect("is declined");
        test.clock
            .set(Timestamp::from_ms(test.app.now().ms() + 14 * DAY));
        let asked = step(test, &ada, (&paid, id), Step::AskPlatform).await;
        assert!(matches!(asked, Err(WishError::Appeal)), "too late");
        let fourth = wish(test, &ada, wished(&paid, None)).await;
        assert!(matches!(fourth, Err(WishError::Often)));
        test.drain().await;
    })
    .await;
}

#[tokio::test]
async fn who_is_not_answered_in_time_is_answered_by_the_platform() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let ada = person(test, ADA, Role::Customer);
        let (paid, taken) = (bought(&desk, &ada).await, bought(&desk, &ada).await);
        let id = wish(test, &ada, wished(&paid, None)).await.expect("asks");
        let gone = wish(test, &ada, wished(&taken, None)).await.expect("asks");
        for _ in 0..2 {
            let back = step(test, &ada, (&taken, gone), Step::TakeBack).await;
            back.expect("is taken back, and twice is once");
        }
        test.clock
            .set(Timestamp::from_ms(test.app.now().ms() + 72 * HOUR - 1));
        test.drain().await;
        assert_eq!(newest(test, &ada, &paid).await.state, WishState::Open);
        test.clock.advance(1);
        test.drain().await;
        assert_eq!(newest(test, &ada, &paid).await.state, WishState::Escalated);
        assert_eq!(newest(test, &ada, &taken).await.state, WishState::TakenBack);
        let late = by_seller(test, &desk.shop.seller, verdict(id, true, None)).await;
        assert!(matches!(late, Err(WishError::Moved(WishState::Escalated))));
        let list = test
            .app
            .read(&owner(test), WishesQuery::default(), escalated)
            .await;
        assert_eq!(list.expect("a list").len(), 1);
        let yes = by_platform(test, &owner(test), verdict(id, true, None)).await;
        yes.expect("is granted");
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "refunded");
        assert_eq!(facts(test, "refund_wish.escalated").await, 1);
    })
    .await;
}

#[tokio::test]
async fn money_that_goes_back_otherwise_grants_what_it_covers() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let ada = person(test, ADA, Role::Customer);
        let (paid, asked) = (bought(&desk, &ada).await, bought(&desk, &ada).await);
        wish(test, &ada, wished(&paid, Some(2_000)))
            .await
            .expect("asks");
        desk.refund(Desk::wish(&paid, Some(1_999)))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(
            newest(test, &ada, &paid).await.state,
            WishState::Open,
            "too little"
        );
        desk.refund(Desk::wish(&paid, Some(2_000)))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let granted = newest(test, &ada, &paid).await;
        assert_eq!(granted.state, WishState::Granted);
        assert_eq!(granted.answered_by, Some(Answerer::Elsewhere));
        assert_eq!(granted.granted, Some(granted.amount));

        let id = wish(test, &ada, wished(&asked, None)).await.expect("asks");
        assert!(desk.raise(&asked, ObjectState::Inquired).await);
        desk.hand_over_all().await;
        let refused = by_seller(test, &desk.shop.seller, verdict(id, true, None)).await;
        assert!(matches!(
            refused,
            Err(WishError::Refund(RefundError::Disputed))
        ));
        assert_eq!(newest(test, &ada, &asked).await.state, WishState::Open);
        let lost = bought(&desk, &ada).await;
        wish(test, &ada, wished(&lost, None)).await.expect("asks");
        assert!(desk.raise(&lost, ObjectState::Opened).await);
        desk.hand_over_all().await;
        let granted = newest(test, &ada, &lost).await;
        assert_eq!(granted.state, WishState::Granted, "the bank has it");
    })
    .await;
}

#[tokio::test]
async fn of_a_grant_and_a_taking_back_at_once_one_wins() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let ada = person(test, ADA, Role::Customer);
        let paid = bought(&desk, &ada).await;
        let id = wish(test, &ada, wished(&paid, None)).await.expect("asks");
        let (granted, back) = tokio::join!(
            by_seller(test, &desk.shop.seller, verdict(id, true, None)),
            step(test, &ada, (&paid, id), Step::TakeBack),
        );
        assert_ne!(granted.is_ok(), back.is_ok(), "{granted:?} {back:?}");
        desk.hand_over_all().await;
        let (sent, state) = match granted.is_ok() {
            true => (vec![4_900], WishState::Granted),
            false => (vec![], WishState::TakenBack),
        };
        assert_eq!(desk.sent_back(&paid).await, sent);
        assert_eq!(newest(test, &ada, &paid).await.state, state);
    })
    .await;
}

#[tokio::test]
async fn buyer_seller_and_platform_meet_on_pages() {
    let test = TestApp::sqlite().await;
    let people = demo::seed(&test.app).await.expect("filled").expect("fresh");
    let server = test.serve().await;
    let (order, _) = buy(&test, &people).await;
    let [buyer, seller, platform] = [0, 1, 2].map(|_| server.browser());
    sign_in(&buyer, "priya@customer.example").await;
    sign_in(&seller, "mara@lichen.example").await;
    sign_in(&platform, "ines@mintreu.example").await;
    let shown = page(&buyer, &format!("/orders/{order}")).await;
    assert!(shown.contains("Ask for a refund"), "{shown}");
    let own = format!("/orders/{order}/wishes");
    let form = page(&buyer, &own).await;
    let line = form.split("value=\"orl_").nth(1).expect("a line");
    let line = format!("orl_{}", line.split('"').next().expect("its id"));
    let mut sent = vec![
        ("step", "wish"),
        ("line", line.as_str()),
        ("currency", "EUR"),
    ];
    sent.extend([
        ("reason", "defective"),
        ("words", "It <b>breaks</b>."),
        ("amount", "80"),
    ]);
    let (status, _, body) = send(&buyer, &own, &own, &sent).await;
    assert_eq!(status.as_u16(), 422);
    assert!(body.contains("At most €79.00 is left"), "{body}");
    sent[5] = ("amount", "");
    let (status, to, body) = send(&buyer, &own, &own, &sent).await;
    assert_eq!(
        (status.as_u16(), to.as_str()),
        (303, own.as_str()),
        "{body}"
    );

    let desk = page(&seller, "/sell/wishes").await;
    assert!(desk.contains("It &#60;b&#62;breaks"), "{desk}");
    let wish = hidden(&desk, "wish");
    let no = [("wish", wish.as_str()), ("step", "decline"), ("words", "")];
    let (status, _, body) = send(&seller, "/sell/wishes", "/sell/wishes", &no).await;
    assert_eq!(status.as_u16(), 422);
    assert!(body.contains("a no needs some"), "{body}");
    let more = [
        ("wish", wish.as_str()),
        ("step", "grant"),
        ("currency", "EUR"),
        ("amount", "79.01"),
        ("words", "And a bit."),
    ];
    let (status, _, body) = send(&seller, "/sell/wishes", "/sell/wishes", &more).await;
    assert_eq!(status.as_u16(), 422);
    for kept in ["value=\"79.01\"", ">And a bit.</textarea>"] {
        assert!(body.contains(kept), "what was typed is lost: {body}");
    }
    let no = [
        ("wish", wish.as_str()),
        ("step", "decline"),
        ("words", "It works here."),
    ];
    let (status, _, body) = send(&seller, "/sell/wishes", "/sell/wishes", &no).await;
    assert_eq!(status.as_u16(), 303, "{body}");
    assert!(page(&buyer, &own).await.contains("It works here."));

    let appeal = [("wish", wish.as_str()), ("step", "appeal")];
    let (status, _, body) = send(&buyer, &own, &own, &appeal).await;
    assert_eq!(status.as_u16(), 303, "{body}");
    let owned = "/owner/wishes";
    assert_eq!(seller.get(owned).await.status().as_u16(), 404);
    let yes = [
        ("wish", wish.as_str()),
        ("step", "grant"),
        ("currency", "EUR"),
        ("amount", "50"),
    ];
    let (status, _, body) = send(&platform, owned, owned, &yes).await;
    assert_eq!(status.as_u16(), 303, "{body}");
    test.drain().await;
    for (who, at) in [(&buyer, own.as_str()), (&seller, "/sell/wishes")] {
        let shown = page(who, at).await;
        assert!(shown.contains("Granted in part"), "{shown}");
        assert!(shown.contains("€50.00 of €79.00 was granted."), "{shown}");
    }
    let list: Value = seller.get("/v1/wishes").await.json().await.expect("a list");
    let told = &list["wishes"][0];
    assert_eq!(
        (&told["amount_minor"], &told["granted_minor"]),
        (&json!(7_900), &json!(5_000))
    );
    let shown = page(&buyer, &format!("/orders/{order}")).await;
    assert!(shown.contains("€50.00 went back to the card"), "{shown}");
    server.stop().await;
    test.finish().await;
}
