//! Webhooks: what sellers' servers are told, how it is signed, and what happens when they fail.

use crate::licensing_keys::tamper;
use crate::shop::{SELLER, Shop, check_out, choose, person, shop};
use crate::webhook_receiver::{Received, Receiver};
use mintreu::Timestamp;
use mintreu::id::{AccountId, WebhookDeliveryId, WebhookEndpointId};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Caller, Capability, Role};
use mintreu_server::custody::Custody;
use mintreu_server::domains::webhooks::model::{MAX_ENDPOINTS, MAX_SECRETS};
use mintreu_server::domains::webhooks::{
    Attempt, ChangeEndpoint, CreateEndpoint, DeleteEndpoint, Deliveries, Delivery, DeliveryState,
    Endpoint, NewSecret, NoteAttempt, Replay, ReplayFailed, RotateSecret, Scheme, TestEvent,
    TryOutcome, WebhookError, change_endpoint, create_endpoint, delete_endpoint, deliveries,
    delivery, endpoint, note_attempt, on_fact, replay, replay_failed, reseal, rotate_secret,
    send_test, sign,
};
use mintreu_server::events;
use mintreu_server::net::{Reach, Refused};
use mintreu_server::queue::JobError;
use mintreu_server::store::Attempt as Ended;
use mintreu_tests::TestApp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// The seller has an account, to whom mail goes.
async fn seller(test: &TestApp) -> Caller {
    let sql = "INSERT INTO account (account_id, tenant_id, email, email_key, name, password_hash,
            created_at)
        VALUES (:account, :tenant, 'seller@example.org', 'seller@example.org', 'A seller', '-', 0)";
    let params = vec![
        ("account", SELLER.as_bytes().into()),
        ("tenant", test.tenant().as_bytes().into()),
    ];
    assert_eq!(tamper(test, sql, params).await, 1);
    person(test, SELLER, Role::Developer)
}

fn wanted(url: &str, events: &[&str]) -> CreateEndpoint {
    CreateEndpoint {
        url: url.to_owned(),
        description: "tests".to_owned(),
        events: events.iter().map(|&name| name.to_owned()).collect(),
        scheme: "v1".to_owned(),
        reach: Reach::ThisMachine,
    }
}

async fn make(test: &TestApp, seller: &Caller, url: &str, events: &[&str]) -> NewSecret {
    let made = test
        .app
        .transact(seller, wanted(url, events), create_endpoint);
    made.await.expect("is made")
}

async fn test_event(test: &TestApp, seller: &Caller, id: WebhookEndpointId) -> Delivery {
    let sent = test.app.transact(seller, TestEvent(id), send_test).await;
    sent.expect("is planned")
}

async fn all(test: &TestApp, seller: &Caller, endpoint: WebhookEndpointId) -> Vec<Delivery> {
    let query = Deliveries {
        endpoint,
        state: None,
        before: None,
        limit: 100,
    };
    let page = test.app.read(seller, query, deliveries).await;
    page.expect("a page").0
}

async fn whole(test: &TestApp, seller: &Caller, id: WebhookDeliveryId) -> (Delivery, Vec<Attempt>) {
    let found = test.app.read(seller, id, delivery).await;
    found.expect("is there")
}

async fn look(test: &TestApp, seller: &Caller, id: WebhookEndpointId) -> Endpoint {
    let found = test.app.read(seller, id, endpoint).await;
    found.expect("is there")
}

/// The signatures that a delivery must have, worked out from the secrets that were shown.
fn signatures(received: &Received, secrets: &[&str]) -> String {
    let at = received.header("webhook-timestamp").parse::<i64>();
    let at = Timestamp::from_secs(at.expect("seconds"));
    let message = sign::message(received.header("webhook-id"), at, &received.body);
    let list = secrets.iter().map(|secret| {
        let secret = sign::secret_bytes(secret).expect("a secret");
        sign::signature(Scheme::Shared, &secret, &message).expect("signs")
    });
    list.collect::<Vec<_>>().join(" ")
}

/// Gives a fact to the subscriber once more, as a dispatch whose lease ran out.
struct Again(String);

impl Command for Again {
    const NAME: &'static str = "test.dispatch_again";
    const CAPABILITY: Capability = Capability::Operate;
}

fn again(cx: &mut Cx<'_>, command: &Again) -> Result<(), JobError> {
    let id = command.0.parse().map_err(JobError::fail)?;
    let event = events::find(cx, id)?.expect("the fact");
    on_fact(cx, &event)
}

async fn dispatch_again(test: &TestApp, fact: &str) {
    let command = Again(fact.to_owned());
    let told = test.app.transact(&test.system(), command, again).await;
    told.expect("is told");
}

async fn buy(test: &TestApp, shop: &Shop) {
    let server = test.serve().await;
    let guest = server.browser();
    let bought = check_out(&guest, shop).await;
    choose(&guest, &bought, "succeed").await;
    test.drain().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fact_is_told_once_signed_and_names_no_buyer() {
    TestApp::both(async |test| {
        let (seller, receiver) = (seller(test).await, Receiver::start().await);
        let shop = shop(test).await;
        test.drain().await;
        let made = make(test, &seller, &receiver.url("/all"), &[]).await;
        make(test, &seller, &receiver.url("/paid"), &["order.paid"]).await;
        let stranger = person(test, AccountId::from_bytes([9; 16]), Role::Developer);
        stranger_s_account(test).await;
        make(test, &stranger, &receiver.url("/stranger"), &[]).await;
        buy(test, &shop).await;

        let received = receiver.take();
        let mut told: Vec<_> = received
            .iter()
            .map(|one| format!("{} {}", one.path, one.json()["type"].as_str().unwrap_or("")))
            .collect();
        told.sort();
        let expected = [
            "/all license.issued",
            "/all order.paid",
            "/all order.placed",
        ];
        assert_eq!(told[..3], expected);
        assert_eq!(told[3..], ["/paid order.paid"]);
        let secret = made.secret.as_deref().expect("a secret");
        for one in received.iter().filter(|one| one.path == "/all") {
            assert_eq!(one.header("webhook-signature"), signatures(one, &[secret]));
            assert_eq!(one.header("content-type"), "application/json");
            let text = &one.body;
            assert!(!text.contains("guest@example.org"), "{text}");
            assert!(!text.contains("acc_"), "{text}");
        }
        let paid = received.iter().find(|one| one.path == "/paid");
        let paid = paid.expect("is told").json();
        assert_eq!(paid["data"]["lines"][0]["gross_minor"], 4900, "{paid}");
        assert_eq!(paid["data"]["state"], "paid");
        assert_eq!(paid["timestamp"], "2027-01-15T08:00:00Z");

        // What is dispatched again makes no second delivery; for an endpoint of since then, it does.
        let before = all(test, &seller, made.endpoint.id).await;
        assert_eq!(before.len(), 3);
        let facts: BTreeSet<_> = before.iter().map(|one| one.event_id.to_string()).collect();
        assert_eq!(facts.len(), 3, "each has an id of its own");
        for fact in &facts {
            dispatch_again(test, fact).await;
        }
        test.drain().await;
        assert_eq!(receiver.take(), []);
        make(test, &seller, &receiver.url("/late"), &[]).await;
        for fact in &facts {
            dispatch_again(test, fact).await;
        }
        test.drain().await;
        assert_eq!(receiver.take().len(), 3, "the negative control");
    })
    .await;
}

async fn stranger_s_account(test: &TestApp) {
    let sql = "INSERT INTO account (account_id, tenant_id, email, email_key, name, password_hash,
            created_at)
        VALUES (:account, :tenant, 'other@example.org', 'other@example.org', 'Another', '-', 0)";
    let params = vec![
        ("account", (&[9; 16]).into()),
        ("tenant", test.tenant().as_bytes().into()),
    ];
    assert_eq!(tamper(test, sql, params).await, 1);
}

/// Lets time go by to the next try of a delivery; false when none is planned.
async fn go_on(test: &TestApp, seller: &Caller, id: WebhookDeliveryId) -> bool {
    let (delivery, _) = whole(test, seller, id).await;
    let Some(at) = delivery.next_at else {
        return false;
    };
    test.clock.set(at.plus_ms(-1));
    test.drain().await;
    let (early, _) = whole(test, seller, id).await;
    assert_eq!(early, delivery, "nothing happens before its time");
    test.clock.set(at);
    test.drain().await;
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_tries_take_three_days_and_keep_their_id() {
    TestApp::both(async |test| {
        let (seller, receiver) = (seller(test).await, Receiver::start().await);
        let made = make(test, &seller, &receiver.url("/"), &[]).await;
        receiver.answer_always(500, &[]);
        let began = test.app.now();
        let id = test_event(test, &seller, made.endpoint.id).await.id;
        test.drain().await;
        while go_on(test, &seller, id).await {}
        let (failed, attempts) = whole(test, &seller, id).await;
        assert_eq!((failed.state, attempts.len()), (DeliveryState::Failed, 10));
        let took = test.app.now().since_ms(began);
        assert!((75 * HOUR..84 * HOUR).contains(&took), "{took} ms");
        let received = receiver.take();
        let ids: BTreeSet<_> = received
            .iter()
            .map(|one| one.header("webhook-id"))
            .collect();
        assert_eq!((received.len(), ids.len()), (10, 1));
        let times: BTreeSet<_> = received
            .iter()
            .map(|one| one.header("webhook-timestamp"))
            .collect();
        assert_eq!(times.len(), 10, "each try has its own instant");
        let secret = made.secret.as_deref().expect("a secret");
        for one in &received {
            assert_eq!(one.header("webhook-signature"), signatures(one, &[secret]));
        }
        assert_eq!(attempts[0].status, Some(500));
        assert_eq!(attempts[0].answer, "answered 500");
        assert_eq!(look(test, &seller, made.endpoint.id).await.failures, 1);

        // One that is well again forgets its failures; a try noted twice is noted once.
        receiver.answer_always(204, &[]);
        let id = test_event(test, &seller, made.endpoint.id).await.id;
        test.drain().await;
        assert_eq!(look(test, &seller, made.endpoint.id).await.failures, 0);
        let note = NoteAttempt {
            delivery: id,
            endpoint: made.endpoint.id,
            number: 1,
            outcome: TryOutcome::TimedOut,
            status: None,
            retry_after_ms: None,
            duration_ms: 1,
            answer: String::new(),
            at: test.app.now(),
        };
        let noted = test.app.transact(&test.system(), note, note_attempt).await;
        noted.expect("is passed over");
        let (delivered, attempts) = whole(test, &seller, id).await;
        assert_eq!(
            (delivered.state, attempts.len()),
            (DeliveryState::Delivered, 1)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_busy_is_left_alone_for_as_long_as_it_asks() {
    TestApp::both(async |test| {
        let (seller, receiver) = (seller(test).await, Receiver::start().await);
        let made = make(test, &seller, &receiver.url("/"), &[]).await;
        for (asked, least, most) in [
            ("600", 10 * MINUTE, 10 * MINUTE),
            ("1", 5_000, 6_000),
            ("99999999", 24 * HOUR, 24 * HOUR),
            ("later", 5_000, 6_000),
        ] {
            receiver.answer_always(429, &[("retry-after", asked)]);
            let planned = test_event(test, &seller, made.endpoint.id).await;
            test.drain().await;
            let (waiting, _) = whole(test, &seller, planned.id).await;
            let pause = waiting
                .next_at
                .expect("is planned")
                .since_ms(test.app.now());
            assert!((least..=most).contains(&pause), "{asked}: {pause} ms");
        }
        // A redirect is no success, and nobody goes there.
        receiver.answer_always(307, &[("location", &receiver.url("/elsewhere"))]);
        receiver.take();
        let planned = test_event(test, &seller, made.endpoint.id).await;
        test.drain().await;
        let (waiting, attempts) = whole(test, &seller, planned.id).await;
        assert_eq!(waiting.state, DeliveryState::Waiting);
        assert_eq!(attempts[0].status, Some(307));
        let paths: Vec<_> = receiver.take().into_iter().map(|one| one.path).collect();
        assert_eq!(paths, ["/"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_gone_or_never_well_is_switched_off_and_told() {
    TestApp::both(async |test| {
        let (seller, receiver) = (seller(test).await, Receiver::start().await);
        let gone = make(test, &seller, &receiver.url("/gone"), &[])
            .await
            .endpoint
            .id;
        receiver.answer_always(410, &[]);
        let first = test_event(test, &seller, gone).await;
        test.drain().await;
        let (failed, attempts) = whole(test, &seller, first.id).await;
        assert_eq!((failed.state, attempts.len()), (DeliveryState::Failed, 1));
        let off = look(test, &seller, gone).await;
        assert_eq!(off.disabled_why.as_deref(), Some("gone"));
        let refused = test.app.transact(&seller, TestEvent(gone), send_test).await;
        assert!(
            matches!(refused, Err(WebhookError::Disabled)),
            "{refused:?}"
        );

        receiver.answer_always(503, &[]);
        let failing = make(test, &seller, &receiver.url("/"), &["order.paid"]).await;
        let failing = failing.endpoint.id;
        for _ in 0..9 {
            test_event(test, &seller, failing).await;
        }
        let days = async |days: i64| {
            for _ in 0..days {
                test.clock.set(test.app.now().plus_ms(27 * HOUR));
                test.drain().await;
            }
        };
        test.drain().await;
        days(9).await;
        let nine = look(test, &seller, failing).await;
        assert_eq!(
            (nine.failures, nine.disabled_at),
            (9, None),
            "nine are borne"
        );
        let tenth = test_event(test, &seller, failing).await;
        test.drain().await;
        days(8).await;
        let waiting = test_event(test, &seller, failing).await;
        days(1).await;
        let off = look(test, &seller, failing).await;
        assert_eq!(off.disabled_why.as_deref(), Some("failing"));
        let state = async |id| whole(test, &seller, id).await.0.state;
        assert_eq!(state(tenth.id).await, DeliveryState::Failed);
        assert_eq!(state(waiting.id).await, DeliveryState::Skipped);
        let mails = test.mails();
        let told = |words: &str| mails.iter().filter(|mail| mail.contains(words)).count();
        assert_eq!(
            told("Subject: A webhook endpoint was switched off"),
            2,
            "{mails:#?}"
        );

        // Switched on, it is sent to again; what it missed is replayed.
        receiver.answer_always(200, &[]);
        let on = ChangeEndpoint {
            endpoint: failing,
            url: None,
            description: None,
            events: None,
            enabled: Some(true),
            reach: Reach::ThisMachine,
        };
        let on = test.app.transact(&seller, on, change_endpoint).await;
        let on = on.expect("is switched on");
        assert_eq!((on.failures, on.disabled_at), (0, None));
        assert_eq!(on.events, ["order.paid"], "the rest stays");
        receiver.take();
        let command = ReplayFailed {
            endpoint: failing,
            since: tenth.created_at,
        };
        let done = test.app.transact(&seller, command, replay_failed).await;
        let done = done.expect("begins anew");
        assert_eq!(
            (done.replayed, done.more),
            (2, false),
            "the nine were before"
        );
        test.drain().await;
        assert_eq!(receiver.take().len(), 2);
        assert_eq!(state(waiting.id).await, DeliveryState::Delivered);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_a_day_after_a_rotation_both_secrets_sign() {
    TestApp::both(async |test| {
        let (seller, receiver) = (seller(test).await, Receiver::start().await);
        let made = make(test, &seller, &receiver.url("/"), &[]).await;
        let id = made.endpoint.id;
        let old = made.secret.expect("a secret");
        let rotate = async || {
            test.app
                .transact(&seller, RotateSecret(id), rotate_secret)
                .await
        };
        let rotated = rotate().await.expect("rotates");
        let new = rotated.secret.expect("a secret");
        assert_ne!(old, new);
        let until = test.app.now().plus_ms(24 * HOUR);
        assert_eq!(look(test, &seller, id).await.overlaps_until, Some(until));
        let sent = async || {
            test_event(test, &seller, id).await;
            test.drain().await;
            receiver.take().remove(0)
        };
        let one = sent().await;
        assert_eq!(
            one.header("webhook-signature"),
            signatures(&one, &[&new, &old])
        );
        test.clock.set(until.plus_ms(-1));
        let one = sent().await;
        assert_eq!(
            one.header("webhook-signature"),
            signatures(&one, &[&new, &old])
        );
        test.clock.set(until);
        let one = sent().await;
        assert_eq!(one.header("webhook-signature"), signatures(&one, &[&new]));
        assert_eq!(look(test, &seller, id).await.overlaps_until, None);

        for _ in 1..MAX_SECRETS {
            rotate().await.expect("rotates");
        }
        let refused = rotate().await.map(drop);
        assert!(
            matches!(refused, Err(WebhookError::TooManySecrets)),
            "{refused:?}"
        );
        let one = sent().await;
        let list = one.header("webhook-signature").to_owned();
        assert_eq!(list.split(' ').count(), MAX_SECRETS);
        assert!(list.contains(&signatures(&one, &[&new])), "{list}");

        // Under another key-encryption key the secrets are the same.
        let sealed = test.app.keys.clone();
        let written = test.app.store.write(Vec::new(), move |tx| {
            let next = Custody::new([8; 32]).succeeding(&sealed);
            let again = |purpose: &str, old: &[u8]| {
                let plain = sealed.unseal(purpose, old)?;
                Some(next.seal(purpose, &plain, [3; 12]))
            };
            let back = |purpose: &str, new: &[u8]| {
                let plain = next.unseal(purpose, new)?;
                Some(sealed.seal(purpose, &plain, [4; 12]))
            };
            let there = reseal(tx, again);
            let twice = reseal(tx, again);
            Ended::Commit((there, twice, reseal(tx, back)))
        });
        let (there, twice, back) = written.await.expect("a write");
        let count = Some(MAX_SECRETS);
        assert_eq!((there.expect("runs"), back.expect("runs")), (count, count));
        assert_eq!(twice.expect("runs"), None, "the old key opens nothing now");
        let one = sent().await;
        assert!(
            one.header("webhook-signature")
                .contains(&signatures(&one, &[&new]))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_has_the_same_id_and_body() {
    TestApp::both(async |test| {
        let (seller, receiver) = (seller(test).await, Receiver::start().await);
        let id = make(test, &seller, &receiver.url("/"), &[])
            .await
            .endpoint
            .id;
        let sent = test_event(test, &seller, id).await;
        let run = async |delivery| test.app.transact(&seller, Replay(delivery), replay).await;
        let early = run(sent.id).await.map(drop);
        assert!(matches!(early, Err(WebhookError::UnderWay)), "{early:?}");
        test.drain().await;
        let first = receiver.take().remove(0);
        test.clock.advance(60_000);
        run(sent.id).await.expect("begins anew");
        test.drain().await;
        let second = receiver.take().remove(0);
        assert_eq!(first.body, second.body);
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        assert_ne!(
            first.header("webhook-signature"),
            second.header("webhook-signature")
        );
        let (delivered, attempts) = whole(test, &seller, sent.id).await;
        assert_eq!(delivered.state, DeliveryState::Delivered);
        let numbers: Vec<_> = attempts.iter().map(|one| one.number).collect();
        assert_eq!(numbers, [1, 2]);

        // What is another's is not there.
        let other = person(test, AccountId::from_bytes([9; 16]), Role::Developer);
        let found = test.app.read(&other, sent.id, delivery).await.map(drop);
        assert!(matches!(found, Err(WebhookError::NotFound)), "{found:?}");
        let found = test.app.read(&other, id, endpoint).await.map(drop);
        assert!(matches!(found, Err(WebhookError::NotFound)), "{found:?}");
        let found = test
            .app
            .transact(&other, Replay(sent.id), replay)
            .await
            .map(drop);
        assert!(matches!(found, Err(WebhookError::NotFound)), "{found:?}");
        let found = test
            .app
            .transact(&other, DeleteEndpoint(id), delete_endpoint)
            .await;
        assert!(matches!(found, Err(WebhookError::NotFound)), "{found:?}");
        let guest = test
            .app
            .transact(&test.guest(), TestEvent(id), send_test)
            .await;
        assert!(matches!(guest, Err(WebhookError::Denied(_))), "{guest:?}");

        // A deleted one is told nothing more, what it was told is kept for 90 days.
        test_event(test, &seller, id).await;
        let gone = test
            .app
            .transact(&seller, DeleteEndpoint(id), delete_endpoint)
            .await;
        gone.expect("is deleted");
        test.drain().await;
        assert_eq!(receiver.take(), []);
        assert_eq!(count(test, "webhook_secret").await, 0);
        assert_eq!(count(test, "webhook_attempt").await, 2);
        test.clock.set(test.app.now().plus_ms(91 * 24 * HOUR));
        test.drain().await;
        assert_eq!(count(test, "webhook_attempt").await, 0);
        assert_eq!(count(test, "webhook_delivery").await, 0);
    })
    .await;
}

async fn count(test: &TestApp, table: &'static str) -> i64 {
    let found = test.app.store.read(move |tx| {
        let sql = format!("SELECT COUNT(*) AS rows FROM {table}");
        tx.query_one(&sql, &[])
    });
    let row = found.await.expect("a read").expect("a count");
    row.expect("a row").int("rows").expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_refused_with_its_reason() {
    TestApp::both(async |test| {
        let seller = seller(test).await;
        let make = async |command| test.app.transact(&seller, command, create_endpoint).await;
        let public = CreateEndpoint {
            reach: Reach::Public,
            ..wanted("http://127.0.0.1:9/", &[])
        };
        let refused = make(public).await.map(drop);
        assert!(
            matches!(refused, Err(WebhookError::UrlRefused(Refused::Scheme))),
            "{refused:?}"
        );
        let unknown = make(wanted("https://hooks.example/", &["order.eaten"])).await;
        assert!(matches!(
            unknown.map(drop),
            Err(WebhookError::EventUnknown(_))
        ));
        let scheme = CreateEndpoint {
            scheme: "v2".to_owned(),
            ..wanted("https://hooks.example/", &[])
        };
        assert!(matches!(
            make(scheme).await.map(drop),
            Err(WebhookError::SchemeUnknown)
        ));
        let signed = CreateEndpoint {
            scheme: "v1a".to_owned(),
            ..wanted("https://hooks.example/", &[])
        };
        let signed = make(signed).await.expect("is made");
        assert_eq!(signed.secret, None);
        let key = signed.endpoint.public_key.expect("a public key");
        assert!(key.starts_with("whpk_"), "{key}");
        for _ in 1..MAX_ENDPOINTS {
            make(wanted("https://hooks.example/", &[]))
                .await
                .expect("is made");
        }
        let more = make(wanted("https://hooks.example/", &[])).await.map(drop);
        assert!(
            matches!(more, Err(WebhookError::TooManyEndpoints)),
            "{more:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_makes_shows_and_deletes() {
    TestApp::both(async |test| {
        let (server, receiver) = (test.serve().await, Receiver::start().await);
        let browser = server.browser();
        let ida = json!({
            "email": "ida@hooks.example", "name": "Ida", "password": "quiet herons at dusk",
        });
        assert_eq!(browser.post_json("/v1/accounts", &ida).await.0, 201);
        browser.post_json("/v1/sessions", &ida).await;
        let wanted = json!({ "url": receiver.url("/"), "events": ["webhook.test"] });
        let (status, refused) = browser.post_json("/v1/webhook-endpoints", &wanted).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (403, &json!("not_allowed"))
        );
        browser.post_json("/v1/me/developer", &json!({})).await;
        let (status, made) = browser.post_json("/v1/webhook-endpoints", &wanted).await;
        assert_eq!(status, 201, "{made}");
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        let path = format!(
            "/v1/webhook-endpoints/{}",
            made["webhook_endpoint_id"].as_str().expect("an id")
        );
        let (_, shown) = browser.get_json(&path).await;
        assert_eq!(
            (&shown["enabled"], &shown["secret"]),
            (&json!(true), &Value::Null)
        );
        let bad = json!({ "url": "http://10.0.0.1/" });
        let (status, refused) = browser.post_json("/v1/webhook-endpoints", &bad).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (422, &json!("webhook_url_refused"))
        );

        let (status, sent) = browser.post_json(&format!("{path}/test"), &json!({})).await;
        assert_eq!(status, 202, "{sent}");
        test.drain().await;
        let one = receiver.take().remove(0);
        assert_eq!(
            one.header("webhook-signature"),
            signatures(&one, &[&secret])
        );
        let (_, page) = browser
            .get_json(&format!("{path}/deliveries?state=delivered"))
            .await;
        assert_eq!(
            page["webhook_deliveries"].as_array().map(Vec::len),
            Some(1),
            "{page}"
        );
        let (_, none) = browser
            .get_json(&format!("{path}/deliveries?state=failed"))
            .await;
        assert_eq!(none["webhook_deliveries"], json!([]));
        let id = sent["webhook_delivery_id"].as_str().expect("an id");
        let (_, shown) = browser
            .get_json(&format!("/v1/webhook-deliveries/{id}"))
            .await;
        assert_eq!(shown["payload"], one.body);
        assert_eq!(shown["tries"][0]["status"], 200, "{shown}");
        let replay = format!("/v1/webhook-deliveries/{id}/replay");
        assert_eq!(browser.post_json(&replay, &json!({})).await.0, 202);
        assert_eq!(browser.post_json(&replay, &json!({})).await.0, 409);
        let since = json!({ "since": 0 });
        let (_, none) = browser
            .post_json(&format!("{path}/replay-failed"), &since)
            .await;
        assert_eq!(none, json!({ "replayed": 0, "more": false }));
        let (status, rotated) = browser
            .post_json(&format!("{path}/rotate"), &json!({}))
            .await;
        assert_eq!(status, 200, "{rotated}");
        assert_ne!(rotated["secret"], secret.as_str());
        let off = json!({ "enabled": false });
        let request = browser.request(reqwest::Method::PATCH, &path).json(&off);
        let changed = request.send().await.expect("an answer");
        let (_, changed) = mintreu_tests::test_server::answer(changed).await;
        assert_eq!(changed["disabled_reason"], "seller", "{changed}");
        assert_eq!(browser.delete(&path).await, 204);
        assert_eq!(browser.get_json(&path).await.0, 404);
        server.stop().await;
    })
    .await;
}
