//! Nodes that spend slices of one quota: what they are answered, and that they never use too much.

use crate::access_gateway::post;
use crate::access_keys::{Keyed, ask, counted, keyed};
use crate::licensing_keys::tamper;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::gateway::{Slice, SliceGiven, Spend};
use mintreu::meter::{AskedUnits, Lent};
use mintreu_server::caller::Caller;
use mintreu_server::domains::access::{
    AccessError, Ask, ChangeApiKey, Identify, LeaseSlice, NodeAsks, RotateApiKey, Sliced,
    change_api_key, identify, lease_slice, rotate_api_key,
};
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const NODE: &str = "a-node-with-a-random-name";

async fn slices(browser: &Browser, keyed: &Keyed, more: Value) -> (StatusCode, Value) {
    let mut body = json!({"key": keyed.key.secret.reveal(), "meter": "calls", "node": NODE});
    let map = body.as_object_mut().expect("a map");
    map.extend(more.as_object().expect("a map").clone());
    let (status, _, told) = post(browser, &keyed.token, "/v1/gateway/slices", &body).await;
    (status, told)
}

async fn all_counted(test: &TestApp, keyed: &Keyed) -> i64 {
    let cells = counted(test, keyed).await;
    cells.into_iter().map(|(_, units)| units).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_is_lent_repeated_and_reported_once() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 100).await;
        let server = test.serve().await;
        let backend = server.browser();
        let first = json!({"wanted": 20, "entitlements": ["pro"], "lease_secs": 60});
        let (status, lent) = slices(&backend, &keyed, first.clone()).await;
        assert_eq!(status, StatusCode::OK, "{lent}");
        let told = [&lent["number"], &lent["units"], &lent["remaining"]];
        assert_eq!(told, [1, 20, 80]);
        assert_eq!(lent["entitlements"], json!({"pro": true}));
        assert_eq!(lent["ends_in_ms"], 60_000);
        assert!(lent["resets_at"].is_i64());
        assert_eq!(
            slices(&backend, &keyed, first).await.1,
            lent,
            "asked again, lent once"
        );
        let window = &lent["window"];
        let more = json!({"last": 1, "window": window, "used": 15, "wanted": 20});
        let (_, second) = slices(&backend, &keyed, more.clone()).await;
        let told = [&second["number"], &second["units"], &second["used"]];
        assert_eq!(told, [2, 40, 15]);
        assert_eq!(second["remaining"], 60);
        for _ in 0..2 {
            assert_eq!(slices(&backend, &keyed, more.clone()).await.1, second);
        }
        assert_eq!(
            all_counted(test, &keyed).await,
            15,
            "repeated reports count once"
        );
        let closed = json!({"last": 2, "window": window, "used": 30, "closed": true});
        let (_, third) = slices(&backend, &keyed, closed.clone()).await;
        let told = [&third["units"], &third["used"], &third["remaining"]];
        assert_eq!(told, [30, 30, 70], "the rest went back");
        // What comes late or again changes nothing.
        for late in [more, closed] {
            assert_eq!(slices(&backend, &keyed, late).await.1["number"], 3);
        }
        assert_eq!(all_counted(test, &keyed).await, 30);
        let secret = keyed.key.secret.reveal();
        let exact = ask(test, &keyed, secret, 1, Ask::Count)
            .await
            .expect("allowed");
        assert_eq!(exact.allowance.expect("a quota").remaining, 69);
        // The next day's units are another window's.
        test.clock.advance(86_400_000);
        let next = json!({"last": 3, "window": window, "used": 30, "closed": true, "wanted": 10});
        let (_, next) = slices(&backend, &keyed, next).await;
        assert_eq!(
            [&next["units"], &next["used"], &next["remaining"]],
            [10, 0, 90]
        );
        assert_eq!(all_counted(test, &keyed).await, 31);
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_is_refused_by_name() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 100).await;
        let server = test.serve().await;
        let backend = server.browser();
        let (_, lent) = slices(&backend, &keyed, json!({"wanted": 10})).await;
        let window = lent["window"].clone();
        let unknown = mintreu::gateway::Token::new(mintreu::gateway::TokenKind::ApiKey, [1; 16]);
        let fresh = "another-node-of-this-seller";
        let cases = [
            (json!({"node": "web-1"}), 422, "input_invalid"),
            (
                json!({"node": "a node with a random name"}),
                422,
                "input_invalid",
            ),
            (
                json!({"node": fresh, "wanted": u64::MAX}),
                422,
                "input_invalid",
            ),
            (
                json!({"node": fresh, "lease_secs": 86_401}),
                422,
                "input_invalid",
            ),
            (
                json!({"node": fresh, "meter": "nonsense"}),
                422,
                "meter_unknown",
            ),
            (
                json!({"node": fresh, "key": unknown.reveal()}),
                404,
                "api_key_unknown",
            ),
            (json!({"node": fresh, "last": 1}), 409, "slice_unknown"),
            (json!({"last": 2, "window": window}), 409, "slice_unknown"),
            (
                json!({"last": 1, "window": window, "meter": "renders"}),
                409,
                "slice_unknown",
            ),
            (
                json!({"last": 1, "window": window, "used": 11}),
                422,
                "input_invalid",
            ),
            (
                json!({"last": 1, "window": 1, "used": 1}),
                422,
                "input_invalid",
            ),
        ];
        for (more, status, code) in cases {
            let (got, told) = slices(&backend, &keyed, more).await;
            let want = (status, &json!(code));
            assert_eq!((got.as_u16(), &told["code"]), want, "{told}");
        }
        assert!(counted(test, &keyed).await.is_empty());
        // A meter without a quota is lent without limit, and counted.
        let free = json!({"node": fresh, "meter": "renders", "wanted": 500});
        let (_, lent) = slices(&backend, &keyed, free).await;
        assert_eq!(
            (&lent["units"], &lent["limit"]),
            (&json!(500), &Value::Null)
        );
        let used = json!({"node": fresh, "meter": "renders", "last": 1, "window": 0, "used": 400});
        assert_eq!(slices(&backend, &keyed, used).await.0, StatusCode::OK);
        assert_eq!(all_counted(test, &keyed).await, 400);
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_switched_off_or_rotated_loses_no_report() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 100).await;
        let server = test.serve().await;
        let backend = server.browser();
        let (_, lent) = slices(&backend, &keyed, json!({"wanted": 20})).await;
        let (window, id) = (lent["window"].clone(), keyed.key.key.id);
        let rotate = RotateApiKey {
            key: id,
            overlap_secs: 60,
        };
        let owner = &keyed.sold.customer;
        let new = test.app.transact(owner, rotate, rotate_api_key).await;
        let new = new.expect("rotates").secret.reveal().to_owned();
        let node = json!({"key": new, "node": "the-node-of-the-new-secret", "wanted": 10});
        let (_, other) = slices(&backend, &keyed, node).await;
        assert_eq!(other["remaining"], 70, "one key, one quota");
        let report = json!({"last": 1, "window": window, "used": 5, "wanted": 1});
        let (_, lent) = slices(&backend, &keyed, report).await;
        assert_eq!((&lent["units"], &lent["used"]), (&json!(21), &json!(5)));
        // The old secret's time is over: what was used is counted, the rest goes back.
        test.clock.advance(60_000);
        let last = json!({"last": 2, "window": window, "used": 9, "wanted": 9});
        for _ in 0..2 {
            let (status, told) = slices(&backend, &keyed, last.clone()).await;
            let want = (404, &json!("api_key_unknown"));
            assert_eq!((status.as_u16(), &told["code"]), want);
        }
        assert_eq!(counted(test, &keyed).await, [(id.to_string(), 9)]);
        let look = ask(test, &keyed, &new, 1, Ask::Look).await.expect("holds");
        assert_eq!(look.allowance.expect("a quota").remaining, 100 - 9 - 10);
        let off = ChangeApiKey {
            key: id,
            name: None,
            rate: None,
            disabled: Some(true),
        };
        test.app
            .transact(owner, off, change_api_key)
            .await
            .expect("off");
        let last = json!({"key": new, "node": "the-node-of-the-new-secret", "last": 1,
            "window": window, "used": 3});
        let (status, told) = slices(&backend, &keyed, last).await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (403, &json!("api_key_disabled"))
        );
        assert_eq!(counted(test, &keyed).await, [(id.to_string(), 12)]);
        server.stop().await;
    })
    .await;
}

/// One node's side of the protocol, without HTTP between.
pub struct Node<'a> {
    test: &'a TestApp,
    keyed: &'a Keyed,
    seller: Caller,
    mac: [u8; 32],
    name: String,
    slice: Slice,
}

impl<'a> Node<'a> {
    pub async fn new(test: &'a TestApp, keyed: &'a Keyed, name: String) -> Self {
        let secret = keyed.key.secret.reveal();
        let who = Identify::read(&test.app.keys, &keyed.token, Some(secret)).expect("a key");
        let found = test.app.read(&test.guest(), who, identify).await;
        Self {
            test,
            keyed,
            seller: found.expect("a seller").seller,
            mac: who.key_mac().expect("a key"),
            name,
            slice: Slice::new(16),
        }
    }

    async fn send(&self, asked: AskedUnits) -> Result<Sliced, AccessError> {
        let asks = NodeAsks {
            node: self.name.clone(),
            meter: "calls".to_owned(),
            asked,
            lease_secs: 300,
            entitlements: Vec::new(),
        };
        let command = LeaseSlice::new(self.mac, self.keyed.license, asks)?;
        self.test
            .app
            .transact(&self.seller, command, lease_slice)
            .await
    }

    /// Sends what there is to send; every third request arrives twice.
    async fn lease(&mut self, now: Timestamp, asked: AskedUnits) {
        if asked.last.is_multiple_of(3) {
            self.send(asked).await.expect("an answer that is lost");
        }
        let sliced = self.send(asked).await.expect("an answer");
        self.slice.answered(given(&sliced), now);
    }

    /// Whether one more unit may be used.
    async fn one(&mut self) -> bool {
        for _ in 0..3 {
            let now = self.test.app.now();
            match self.slice.spend(1, now) {
                Spend::Granted { .. } => return true,
                Spend::Check => break,
                Spend::Lease => match self.slice.request(now) {
                    Some(asked) => self.lease(now, asked).await,
                    None => break,
                },
            }
        }
        let secret = self.keyed.key.secret.reveal();
        ask(self.test, self.keyed, secret, 1, Ask::Count)
            .await
            .is_ok()
    }

    /// Whether it may use one unit of what it was lent; it asks for more when it has to.
    pub async fn spend(&mut self) -> bool {
        for _ in 0..2 {
            let now = self.test.app.now();
            match self.slice.spend(1, now) {
                Spend::Granted { .. } => return true,
                Spend::Check => return false,
                Spend::Lease => match self.slice.request(now) {
                    Some(asked) => self.lease(now, asked).await,
                    None => return false,
                },
            }
        }
        false
    }

    pub async fn close(mut self) {
        let now = self.test.app.now();
        if let Some(asked) = self.slice.close(now) {
            self.lease(now, asked).await;
        }
    }
}

fn given(sliced: &Sliced) -> SliceGiven {
    let units = |value: i64| u64::try_from(value).expect("not negative");
    SliceGiven {
        lent: Lent {
            number: units(sliced.slice.number),
            window: u32::try_from(sliced.slice.window).expect("a window"),
            units: units(sliced.slice.units),
            used: units(sliced.slice.used),
        },
        ends_in_ms: sliced.ends_in_ms,
        left: sliced.allowance.map(|at| units(at.remaining)),
        resets_at: sliced
            .allowance
            .and_then(|at| at.resets_at)
            .map(Timestamp::from_ms),
    }
}

/// What a faulty server does with the units of nodes that said nothing.
const GIVE_BACK: &str = "UPDATE quota_use SET units = units - (SELECT
        CAST(COALESCE(SUM(s.units - s.used), 0) AS BIGINT) FROM quota_slice s
        WHERE s.license_id = quota_use.license_id AND s.node = :node)";

/// Three nodes use one quota to its end, and one is killed after so many units; all that was used.
async fn used_by_nodes(test: &TestApp, keyed: &Keyed, killed_after: u64, faulty: bool) -> u64 {
    let used = Arc::new(AtomicU64::new(0));
    let life = async |index: usize| {
        let name = format!("node-{index}-of-a-backend");
        let mut node = Node::new(test, keyed, name.clone()).await;
        let mut own = 0;
        while node.one().await {
            own += 1;
            used.fetch_add(1, Ordering::Relaxed);
            if index == 0 && own == killed_after {
                if faulty {
                    tamper(test, GIVE_BACK, vec![("node", name.into())]).await;
                }
                return;
            }
        }
        node.close().await;
    };
    tokio::join!(life(0), life(1), life(2));
    // What nodes gave back at their end is used by whoever comes then.
    let mut late = Node::new(test, keyed, "a-node-that-comes-late".to_owned()).await;
    while late.one().await {
        used.fetch_add(1, Ordering::Relaxed);
    }
    late.close().await;
    used.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_use_a_quota_of_a_thousand_and_never_one_more() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 1_000).await;
        let random = u64::from(
            mintreu::gateway::Token::generate(mintreu::gateway::TokenKind::ApiKey)
                .expect("randomness")
                .reveal()
                .as_bytes()[9],
        );
        let killed_after = 5 + random % 90;
        let used = used_by_nodes(test, &keyed, killed_after, false).await;
        assert!(
            used <= 1_000,
            "{used} used, one killed after {killed_after}"
        );
        assert!(
            used > 500,
            "only {used} used, one killed after {killed_after}"
        );
        let counted = all_counted(test, &keyed).await;
        let lost = i64::try_from(used).expect("few") - counted;
        let most = i64::try_from(killed_after).expect("few");
        assert!((0..=most).contains(&lost), "{counted} counted of {used}");
    })
    .await;
}

/// The negative control: a server that gives back what a vanished node held is found out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_gives_back_unreported_units_is_found_out() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 1_000).await;
        let used = used_by_nodes(test, &keyed, 3, true).await;
        assert!(used > 1_000, "{used}");
    })
    .await;
}
