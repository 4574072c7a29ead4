//! The owner's decisions about disputes, over HTTP: what each moves, what it leaves, and who is
//! refused. Which effects a bank's events have is the table of `refunds_matrix`.

use crate::money_back::{Desk, Paid};
use crate::taxes::signed_in;
use mintreu_server::domains::accounts::{MakeAdminLink, make_admin_link};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::{Browser, TestApp, TestServer};
use serde_json::{Value, json};

/// Somebody who runs the platform.
pub async fn owner(test: &TestApp, server: &TestServer) -> Browser {
    let owner = signed_in(server, "owner@example.org").await;
    let house = test.system();
    let made = test.app.transact(&house, MakeAdminLink, make_admin_link);
    let token = json!({ "token": made.await.expect("a token") });
    assert_eq!(owner.post_json("/v1/me/admin", &token).await.0, 204);
    owner
}

/// A paid order that a bank asks about; answers the dispute's id too.
async fn asked_about(desk: &Desk<'_>, owner: &Browser, state: ObjectState) -> (Paid, String) {
    let paid = desk.buy(1).await;
    assert!(desk.raise(&paid, state).await);
    desk.hand_over_all().await;
    let found = listed(owner, "all").await;
    let of = |one: &&Value| one["order_id"] == paid.order.to_string();
    let dispute = found.iter().find(of).expect("a dispute");
    let id = dispute["dispute_id"].as_str().expect("an id").to_owned();
    (paid, id)
}

async fn listed(owner: &Browser, which: &str) -> Vec<Value> {
    let (status, page) = owner.get_json(&format!("/v1/disputes?which={which}")).await;
    assert_eq!(status, 200, "{page}");
    page["disputes"].as_array().expect("disputes").clone()
}

/// Whether the dispute waits for a decision.
async fn waits(owner: &Browser, id: &str) -> bool {
    let waiting = listed(owner, "waiting").await;
    waiting.iter().any(|one| one["dispute_id"] == id)
}

/// Decides; the status and the problem's code.
async fn decide(who: &Browser, id: &str, state: &str, decision: &str) -> (u16, Value) {
    let body = json!({ "state": state, "decision": decision, "reason": "Looked at it." });
    send(who, id, &body).await
}

async fn send(who: &Browser, id: &str, body: &Value) -> (u16, Value) {
    let path = format!("/v1/disputes/{id}/decisions");
    let (status, answer) = who.post_json(&path, body).await;
    (status.as_u16(), answer["code"].clone())
}

const DONE: (u16, Value) = (204, Value::Null);

#[tokio::test]
async fn what_was_warned_of_goes_back_whole_or_what_is_left_of_it_or_not_at_all() {
    TestApp::both(async |test| {
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        let owner = owner(test, &server).await;
        for (refunded_before, decision, sent, state) in [
            (0, "refund", vec![4_900], "refunded"),
            (1_000, "refund", vec![1_000, 3_900], "refunded"),
            (0, "leave", vec![], "paid"),
            (1_000, "leave", vec![1_000], "partially_refunded"),
        ] {
            let (paid, id) = asked_about(&desk, &owner, ObjectState::Warned).await;
            if refunded_before > 0 {
                let wish = Desk::wish(&paid, Some(refunded_before));
                desk.refund(wish).await.expect("is asked");
                desk.hand_over_all().await;
            }
            assert!(waits(&owner, &id).await);
            assert_eq!(decide(&owner, &id, "warning", decision).await, DONE);
            desk.hand_over_all().await;
            assert!(!waits(&owner, &id).await, "{decision}");
            assert_eq!(desk.state(&paid).await, state, "{decision}");
            assert_eq!(desk.sent_back(&paid).await, sent, "{decision}");
            let withdrawn = (state == "refunded").then_some("refund".to_owned());
            assert_eq!(desk.license(&paid).await, withdrawn, "{decision}");
            let (_, shown) = owner.get_json(&format!("/v1/disputes/{id}")).await;
            let kept = &shown["decisions"][0];
            assert_eq!(
                (&kept["state"], &kept["decision"], &kept["reason"]),
                (&json!("warning"), &json!(decision), &json!("Looked at it."))
            );
            let after = if state == "refunded" {
                "prevented"
            } else {
                "warning"
            };
            assert_eq!(shown["state"], after, "{shown}");
        }
        // Nothing is left to decide where all went back before.
        let (paid, id) = asked_about(&desk, &owner, ObjectState::Warned).await;
        desk.refund(Desk::wish(&paid, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let moved = (409, json!("dispute_moved"));
        assert_eq!(decide(&owner, &id, "warning", "refund").await, moved);
        assert_eq!(desk.sent_back(&paid).await, [4_900], "once");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_the_bank_asks_is_answered_without_moving_money() {
    TestApp::both(async |test| {
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        let owner = owner(test, &server).await;
        for (raised, state) in [
            (ObjectState::Inquired, "inquiry"),
            (ObjectState::Opened, "chargeback"),
        ] {
            let (paid, id) = asked_about(&desk, &owner, raised).await;
            let before = (desk.state(&paid).await, desk.earned().await);
            // Deciding again while it stands there replaces the decision.
            for decision in ["accept", "contest"] {
                assert_eq!(decide(&owner, &id, state, decision).await, DONE);
                desk.hand_over_all().await;
                assert_eq!((desk.state(&paid).await, desk.earned().await), before);
                assert!(!waits(&owner, &id).await);
            }
            let (_, shown) = owner.get_json(&format!("/v1/disputes/{id}")).await;
            let newest = shown["decisions"].as_array().expect("decisions").last();
            assert_eq!(newest.expect("one")["decision"], "contest", "{shown}");
            assert_eq!(desk.sent_back(&paid).await, [0; 0]);
        }
        // A question that becomes a chargeback waits again, and an old look at it is refused.
        let (paid, id) = asked_about(&desk, &owner, ObjectState::Inquired).await;
        assert_eq!(decide(&owner, &id, "inquiry", "contest").await, DONE);
        test.clock.advance(1);
        assert!(desk.decide(&paid, ObjectState::Opened).await);
        desk.hand_over_all().await;
        assert!(waits(&owner, &id).await);
        let moved = (409, json!("dispute_moved"));
        assert_eq!(decide(&owner, &id, "inquiry", "accept").await, moved);
        assert_eq!(decide(&owner, &id, "chargeback", "accept").await, DONE);
        test.clock.advance(1);
        assert!(desk.decide(&paid, ObjectState::Lost).await);
        desk.hand_over_all().await;
        // What is over can't be decided.
        assert_eq!(decide(&owner, &id, "lost", "accept").await, moved);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn who_may_not_decides_nothing_and_a_decision_that_is_none_is_refused() {
    TestApp::both(async |test| {
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        let owner = owner(test, &server).await;
        let (paid, id) = asked_about(&desk, &owner, ObjectState::Warned).await;
        let seller = signed_in(&server, "seller@example.org").await;
        seller.post_json("/v1/me/developer", &json!({})).await;
        let path = format!("/v1/disputes/{id}");
        for (who, status, code) in [
            (server.browser(), 401, "sign_in_required"),
            (
                signed_in(&server, "b@example.org").await,
                403,
                "not_allowed",
            ),
            (seller, 403, "not_allowed"),
        ] {
            let refused = (status, json!(code));
            assert_eq!(decide(&who, &id, "warning", "refund").await, refused);
            for path in [path.as_str(), "/v1/disputes"] {
                let (status, problem) = who.get_json(path).await;
                assert_eq!(
                    (status.as_u16(), problem["code"].clone()),
                    refused,
                    "{path}"
                );
            }
        }
        let long = "x".repeat(501);
        for (change, status, code) in [
            (json!({"decision": "contest"}), 409, "dispute_moved"),
            (json!({"state": "chargeback"}), 409, "dispute_moved"),
            (json!({"decision": "half"}), 422, "input_invalid"),
            (json!({"state": "doubt"}), 422, "input_invalid"),
            (json!({"reason": "  "}), 422, "reason_malformed"),
            (json!({"reason": long}), 422, "reason_malformed"),
            (json!({"amount_minor": 100}), 400, "json_unexpected"),
        ] {
            let mut body = json!({"state": "warning", "decision": "refund", "reason": "Why."});
            for (field, value) in change.as_object().expect("fields") {
                body[field] = value.clone();
            }
            assert_eq!(
                send(&owner, &id, &body).await,
                (status, json!(code)),
                "{change}"
            );
        }
        let nobody = "dsp_00000000000000000000000000";
        let missing = (404, json!("not_found"));
        assert_eq!(decide(&owner, nobody, "warning", "leave").await, missing);
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "paid");
        assert!(waits(&owner, &id).await, "nothing was decided");
        server.stop().await;
    })
    .await;
}
