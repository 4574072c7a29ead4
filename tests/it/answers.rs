//! What a bank is answered: by the seller, by the house when nobody does, too late, or not at all.

use crate::dispute_decisions::owner;
use crate::facts::{OTHER, bought_of_two};
use crate::money_back::{Desk, Paid};
use crate::shop::person;
use crate::web_pages::page;
use mintreu::Timestamp;
use mintreu::id::{AccountId, DisputeId};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::answers::{
    AnswerAny, AnswerDispute, AnswerError, AnswerState, AnswerView, MAX_TEXT, Step, Texts, Wanted,
    answer, answer_any, view_answer,
};
use mintreu_server::domains::refunds::DisputeState;
use mintreu_server::gateways::sandbox::Sandbox;
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::gateways::{Evidence, EvidenceRequest, Gateway, GatewayError};
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};

pub const HOUR: i64 = 60 * 60 * 1000;
pub const DAY: i64 = 24 * HOUR;

/// Lets so many milliseconds go by.
pub fn later(test: &TestApp, ms: i64) {
    test.clock
        .advance(u32::try_from(ms).expect("some weeks at most"));
}

/// A paid order that a bank asks about, and the dispute.
pub async fn asked(desk: &Desk<'_>, state: ObjectState) -> (Paid, DisputeId) {
    let paid = desk.buy(1).await;
    assert!(desk.raise(&paid, state).await);
    desk.hand_over_all().await;
    (paid.clone(), dispute_of(desk, &paid).await)
}

async fn dispute_of(desk: &Desk<'_>, paid: &Paid) -> DisputeId {
    let rows = desk.rows("SELECT dispute_id, order_id FROM dispute").await;
    let of = |row: &&mintreu_server::store::Row| {
        row.id("order_id", mintreu::id::OrderId::from_bytes)
            .expect("an id")
            == paid.order
    };
    let row = rows.iter().find(of).expect("a dispute");
    row.id("dispute_id", DisputeId::from_bytes).expect("an id")
}

fn texts(statement: &str) -> Texts {
    Texts {
        statement: statement.to_owned(),
        ..Texts::default()
    }
}

pub fn wanted(dispute: DisputeId, step: Step, statement: Option<&str>) -> Wanted {
    Wanted {
        dispute,
        step,
        texts: statement.map(texts),
        seen: None,
    }
}

pub async fn act(test: &TestApp, who: &Caller, wanted: Wanted) -> Result<AnswerState, AnswerError> {
    test.app.transact(who, AnswerDispute(wanted), answer).await
}

async fn view(test: &TestApp, who: &Caller, dispute: DisputeId) -> AnswerView {
    let found = test.app.read(who, dispute, view_answer).await;
    found.expect("is seen")
}

fn state_of(view: &AnswerView) -> AnswerState {
    view.answer.as_ref().expect("an answer").state
}

/// What the provider was told, the oldest first.
async fn told(desk: &Desk<'_>) -> Vec<Evidence> {
    let rows = desk
        .rows("SELECT body FROM sandbox_evidence ORDER BY taken_at")
        .await;
    let read = |row: &mintreu_server::store::Row| {
        serde_json::from_str(&row.text("body").expect("a body")).expect("evidence")
    };
    rows.iter().map(read).collect()
}

#[tokio::test]
async fn a_seller_answers_once_and_it_changes_no_more() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let seller = desk.shop.seller.clone();
        let (paid, dispute) = asked(&desk, ObjectState::Opened).await;
        let before = view(test, &seller, dispute).await;
        assert_eq!(state_of(&before), AnswerState::Draft);
        assert_eq!(before.asked.days_left, Some(6), "seven, less a moment");
        assert!(before.asked.can_submit && before.asked.can_accept);
        let known = |about: &str| {
            let found = before.known.iter().find(|one| one.about == about);
            found.map(|one| one.text.clone()).unwrap_or_default()
        };
        assert!(known("order").contains(&paid.order.to_string()));
        assert!(known("order").contains("49.00 EUR"));
        assert!(known("products").contains("1 x Acme Editor"));
        assert!(known("papers").contains("Invoice "));
        assert!(known("licenses").contains("lic_"));
        assert_eq!(known("refunds"), "");

        let stranger = person(test, AccountId::from_bytes([9; 16]), Role::Developer);
        for step in [Step::Save, Step::Submit, Step::Accept] {
            let refused = act(test, &stranger, wanted(dispute, step, Some("Mine."))).await;
            assert!(matches!(refused, Err(AnswerError::NotFound)), "{step:?}");
            let refused = act(test, &test.guest(), wanted(dispute, step, None)).await;
            assert!(matches!(refused, Err(AnswerError::Denied(_))), "{step:?}");
        }
        let seen = test.app.read(&stranger, dispute, view_answer).await;
        assert!(matches!(seen, Err(AnswerError::NotFound)));
        let long = "x".repeat(MAX_TEXT + 1);
        let refused = act(test, &seller, wanted(dispute, Step::Save, Some(&long))).await;
        assert!(matches!(refused, Err(AnswerError::Text("statement"))));
        let stale = Wanted {
            seen: Some(DisputeState::Inquiry),
            ..wanted(dispute, Step::Submit, None)
        };
        let refused = act(test, &seller, stale).await;
        assert!(matches!(
            refused,
            Err(AnswerError::Moved(DisputeState::Chargeback))
        ));

        let saved = act(test, &seller, wanted(dispute, Step::Save, Some(" Kept. "))).await;
        assert_eq!(saved.expect("is kept"), AnswerState::Draft);
        test.drain().await;
        assert!(told(&desk).await.is_empty(), "a draft is nobody's answer");
        let handed_in = act(test, &seller, wanted(dispute, Step::Submit, None)).await;
        assert_eq!(handed_in.expect("is handed in"), AnswerState::Sending);
        for step in [Step::Save, Step::Submit, Step::Accept] {
            let refused = act(test, &seller, wanted(dispute, step, Some("Other."))).await;
            assert!(matches!(
                refused,
                Err(AnswerError::Given(AnswerState::Sending))
            ));
        }
        test.drain().await;
        let sent = told(&desk).await;
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].uncategorized_text, "Kept.");
        assert!(sent[0].receipt.contains(&paid.order.to_string()));
        assert_eq!(sent[0].customer_email_address, "", "no address is kept");
        let after = view(test, &seller, dispute).await;
        assert_eq!(state_of(&after), AnswerState::Sent);
        assert!(!after.asked.can_submit && !after.asked.can_accept);
        assert_eq!(after.known, before.known);
        let facts = desk.facts().await;
        assert!(
            facts.contains(&"dispute.evidence_submitted".to_owned()),
            "{facts:?}"
        );

        // What is decided stays to be read, and can't be answered.
        later(test, 1_000);
        assert!(desk.decide(&paid, ObjectState::Won).await);
        desk.hand_over_all().await;
        let refused = act(test, &seller, wanted(dispute, Step::Submit, None)).await;
        assert!(matches!(
            refused,
            Err(AnswerError::Moved(DisputeState::Won))
        ));
        assert_eq!(
            state_of(&view(test, &seller, dispute).await),
            AnswerState::Sent
        );
        later(test, 8 * DAY);
        test.drain().await;
        assert_eq!(told(&desk).await.len(), 1, "nothing is sent by itself");
    })
    .await;
}

#[tokio::test]
async fn who_does_nothing_is_reminded_and_answered_for() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let seller = desk.shop.seller.clone();
        let (_, dispute) = asked(&desk, ObjectState::Inquired).await;
        let saved = act(test, &seller, wanted(dispute, Step::Save, Some("So far."))).await;
        saved.expect("is kept");
        let due = view(test, &seller, dispute).await.dispute.evidence_due_at;
        let due = due.expect("a deadline");
        let reach = |at: Timestamp| later(test, at.since_ms(test.app.now()));
        let reminded = async || {
            let facts = desk.facts().await;
            facts
                .iter()
                .filter(|kind| *kind == "dispute.evidence_due")
                .count()
        };
        reach(due.plus_ms(-DAY - 1));
        test.drain().await;
        assert_eq!(reminded().await, 0);
        reach(due.plus_ms(-DAY + 1));
        test.drain().await;
        assert_eq!(reminded().await, 1);
        reach(due.plus_ms(-6 * HOUR - 1));
        test.drain().await;
        assert!(told(&desk).await.is_empty(), "there is time yet");
        reach(due.plus_ms(-6 * HOUR + 1));
        test.drain().await;
        let sent = told(&desk).await;
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].uncategorized_text, "So far.");
        let given = view(test, &seller, dispute)
            .await
            .answer
            .expect("an answer");
        assert_eq!((given.state, given.by_default), (AnswerState::Sent, true));
        assert_eq!(reminded().await, 1);

        // Who answered is left in peace.
        let (_, dispute) = asked(&desk, ObjectState::Opened).await;
        let done = act(test, &seller, wanted(dispute, Step::Submit, None)).await;
        done.expect("is handed in");
        test.drain().await;
        later(test, 8 * DAY);
        test.drain().await;
        assert_eq!((told(&desk).await.len(), reminded().await), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn what_comes_too_late_is_refused_here_and_by_the_provider() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let seller = desk.shop.seller.clone();
        let (_, dispute) = asked(&desk, ObjectState::Opened).await;
        later(test, 7 * DAY);
        let late = act(test, &seller, wanted(dispute, Step::Submit, None)).await;
        assert!(matches!(late, Err(AnswerError::Late(_))), "{late:?}");
        let seen = view(test, &seller, dispute).await;
        assert_eq!(seen.asked.days_left, None);
        assert!(!seen.asked.can_submit && seen.asked.can_accept);
        // The house was asleep as well: its answer by default comes too late, and says so.
        test.drain().await;
        let given = view(test, &seller, dispute)
            .await
            .answer
            .expect("an answer");
        assert_eq!(given.state, AnswerState::Refused);
        assert_eq!(given.failure_code.as_deref(), Some("evidence_late"));
        assert!(told(&desk).await.is_empty());
        let facts = desk.facts().await;
        assert!(
            facts.contains(&"dispute.evidence_refused".to_owned()),
            "{facts:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_dispute_that_is_given_up_is_lost() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let seller = desk.shop.seller.clone();
        for state in [ObjectState::Opened, ObjectState::Inquired] {
            let (paid, dispute) = asked(&desk, state).await;
            later(test, 1_000);
            let done = act(test, &seller, wanted(dispute, Step::Accept, None)).await;
            assert_eq!(done.expect("is given up"), AnswerState::Accepting);
            test.drain().await;
            desk.hand_over_all().await;
            let seen = view(test, &seller, dispute).await;
            assert_eq!(state_of(&seen), AnswerState::Accepted);
            assert_eq!(seen.dispute.state, DisputeState::Lost);
            assert_eq!(desk.license(&paid).await.as_deref(), Some("chargeback"));
            assert!(told(&desk).await.is_empty());
        }
        let facts = desk.facts().await;
        let given_up = facts.iter().filter(|kind| *kind == "dispute.accepted");
        assert_eq!(given_up.count(), 2, "{facts:?}");
    })
    .await;
}

#[tokio::test]
async fn a_bank_that_goes_on_is_answered_anew_from_the_same_texts() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let seller = desk.shop.seller.clone();
        let (paid, dispute) = asked(&desk, ObjectState::Inquired).await;
        let first = wanted(dispute, Step::Submit, Some("The same."));
        act(test, &seller, first).await.expect("is handed in");
        test.drain().await;
        later(test, DAY);
        assert!(desk.decide(&paid, ObjectState::Opened).await);
        desk.hand_over_all().await;
        let seen = view(test, &seller, dispute).await;
        let draft = seen.answer.expect("a draft");
        assert_eq!(
            (draft.state, draft.stage),
            (AnswerState::Draft, DisputeState::Chargeback)
        );
        assert_eq!(draft.texts, texts("The same."));
        assert_eq!(seen.asked.days_left, Some(6), "the time begins anew");
        let second = wanted(dispute, Step::Submit, None);
        act(test, &seller, second).await.expect("is handed in");
        test.drain().await;
        assert_eq!(told(&desk).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn of_two_who_hand_in_at_once_one_does() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let seller = desk.shop.seller.clone();
        let (_, dispute) = asked(&desk, ObjectState::Opened).await;
        let one = act(test, &seller, wanted(dispute, Step::Submit, Some("One.")));
        let other = act(test, &seller, wanted(dispute, Step::Accept, None));
        let (one, other) = tokio::join!(one, other);
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        test.drain().await;
        let state = state_of(&view(test, &seller, dispute).await);
        let expected = match one.is_ok() {
            true => (AnswerState::Sent, 1),
            false => (AnswerState::Accepted, 0),
        };
        assert_eq!((state, told(&desk).await.len()), expected);
    })
    .await;
}

#[tokio::test]
async fn of_several_sellers_none_answers_but_the_platform_does() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let other = person(test, OTHER, Role::Developer);
        let paid = bought_of_two(&desk).await;
        assert!(desk.raise(&paid, ObjectState::Opened).await);
        desk.hand_over_all().await;
        let dispute = dispute_of(&desk, &paid).await;
        for seller in [&desk.shop.seller, &other] {
            let refused = act(test, seller, wanted(dispute, Step::Submit, None)).await;
            assert!(matches!(refused, Err(AnswerError::NeedsPlatform)));
            let seen = test.app.read(seller, dispute, view_answer).await;
            assert!(matches!(seen, Err(AnswerError::NeedsPlatform)));
        }
        let any = AnswerAny(wanted(dispute, Step::Submit, Some("Ours.")));
        let done = test.app.transact(&test.system(), any, answer_any).await;
        assert_eq!(done.expect("is handed in"), AnswerState::Sending);
        test.drain().await;
        let sent = told(&desk).await;
        assert!(sent[0].product_description.contains("Other Tool"));
    })
    .await;
}

#[tokio::test]
async fn the_provider_takes_the_same_answer_once_and_no_other_under_its_key() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let (paid, _) = asked(&desk, ObjectState::Opened).await;
        let rows = desk
            .rows("SELECT object FROM sandbox_object WHERE kind = 'dispute'")
            .await;
        let object = rows[0].text("object").expect("a name");
        let request = |dispute: &str, key: &str, said: &str| EvidenceRequest {
            tenant: test.tenant(),
            dispute: dispute.to_owned(),
            key: key.to_owned(),
            evidence: Evidence {
                uncategorized_text: said.to_owned(),
                customer_email_address: "guest@example.org".to_owned(),
                ..Evidence::default()
            },
        };
        let hand_in = async |request: EvidenceRequest| {
            let answered = Sandbox.submit_evidence(&test.app, &request).await;
            answered.map_err(|error| match error {
                GatewayError::Refused(code) => code,
                other => panic!("{other}"),
            })
        };
        let refused = |code: &str| Err(code.to_owned());
        assert_eq!(hand_in(request(&object, "k", "a")).await, Ok(()));
        assert_eq!(hand_in(request(&object, "k", "a")).await, Ok(()));
        let other = hand_in(request(&object, "k", "b")).await;
        assert_eq!(other, refused("idempotency_key_reused"));
        let unknown = hand_in(request("sbd_nothing", "k", "a")).await;
        assert_eq!(unknown, refused("dispute_unknown"));
        assert_eq!(told(&desk).await.len(), 1);
        later(test, 7 * DAY);
        assert_eq!(hand_in(request(&object, "k", "a")).await, Ok(()), "again");
        let late = hand_in(request(&object, "l", "a")).await;
        assert_eq!(late, refused("evidence_late"));
        assert!(desk.decide(&paid, ObjectState::Won).await);
        let closed = hand_in(request(&object, "m", "a")).await;
        assert_eq!(closed, refused("dispute_closed"));
        desk.hand_over_all().await;
    })
    .await;
}

#[tokio::test]
async fn the_routes_write_hand_in_and_give_up() {
    TestApp::both(async |test| {
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        let owner = owner(test, &server).await;
        let (_, dispute) = asked(&desk, ObjectState::Opened).await;
        let path = format!("/v1/disputes/{dispute}/answer");
        let (status, shown) = owner.get_json(&path).await;
        assert_eq!((status.as_u16(), &shown["state"]), (200, &json!("draft")));
        assert_eq!(shown["can_submit"], true, "{shown}");
        let listed = owner.get_json("/v1/disputes").await.1;
        assert_eq!(
            listed["disputes"][0]["evidence_due_at"],
            shown["evidence_due_at"]
        );
        let put = async |body: Value| {
            let sent = owner
                .request(reqwest::Method::PUT, &path)
                .json(&body)
                .send();
            let answer = sent.await.expect("an answer");
            let status = answer.status().as_u16();
            let body: Value = answer.json().await.unwrap_or_default();
            (status, body["code"].clone(), body["field"].clone())
        };
        let done = (204, Value::Null, Value::Null);
        assert_eq!(put(json!({ "statement": "Ours." })).await, done);
        let long = json!({ "refund_policy": "x".repeat(MAX_TEXT + 1) });
        let (status, code, field) = put(long).await;
        assert_eq!((status, code), (422, json!("answer_text_invalid")));
        assert_eq!(field, "refund_policy");
        let post = async |act: &str| {
            let (status, body) = owner.post_json(&format!("{path}/{act}"), &json!({})).await;
            (status.as_u16(), body["code"].clone())
        };
        assert_eq!(post("submit").await, (202, Value::Null));
        assert_eq!(post("submit").await, (409, json!("answer_given")));
        assert_eq!(post("accept").await, (409, json!("answer_given")));
        test.drain().await;
        let shown = owner.get_json(&path).await.1;
        assert_eq!(shown["state"], "sent", "{shown}");
        assert_eq!(shown["statement"], "Ours.");
        let (_, second) = asked(&desk, ObjectState::Opened).await;
        let path = format!("/v1/disputes/{second}/answer/accept");
        assert_eq!(owner.post_json(&path, &json!({})).await.0, 202);
        test.drain().await;
        let nobody = server.browser();
        assert_eq!(nobody.get_json(&path.replace("/accept", "")).await.0, 404);
        drop((owner, nobody));
        server.stop().await;
    })
    .await;
}

/// How often a page says something.
async fn says(who: &Browser, path: &str, text: &str) -> usize {
    page(who, path).await.matches(text).count()
}

#[tokio::test]
async fn what_was_answered_is_not_said_to_come_too_late() {
    TestApp::both(async |test| {
        const LATE: &str = "What comes now comes too late";
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        let owner = owner(test, &server).await;
        let (_, dispute) = asked(&desk, ObjectState::Opened).await;
        let (list, one) = (
            "/owner/disputes?which=all",
            format!("/owner/disputes/{dispute}"),
        );
        let answer = format!("{one}/answer");
        let pages = [list, one.as_str(), answer.as_str()];
        for path in pages {
            assert_eq!(
                says(&owner, path, "The bank waits until").await,
                1,
                "{path}"
            );
        }
        let sent = format!("/v1/disputes/{dispute}/answer/submit");
        assert_eq!(owner.post_json(&sent, &json!({})).await.0, 202);
        test.drain().await;
        // Nobody answers another, and the house sleeps.
        let (_, other) = asked(&desk, ObjectState::Opened).await;
        later(test, 8 * DAY);
        for path in pages {
            assert_eq!(
                says(&owner, path, "The bank waits until").await,
                0,
                "{path}"
            );
        }
        assert_eq!(
            says(&owner, list, LATE).await,
            1,
            "the other, which is late"
        );
        assert_eq!(says(&owner, list, "Answered").await, 1);
        for path in [one.as_str(), answer.as_str()] {
            assert_eq!(says(&owner, path, LATE).await, 0, "{path}");
        }
        assert_eq!(
            says(&owner, &format!("/owner/disputes/{other}"), LATE).await,
            1
        );
        test.drain().await;
        drop(owner);
        server.stop().await;
    })
    .await;
}
