//! Events are counted once, and what they come to is what a recomputation says.

use crate::metered::{Sold, sold};
use mintreu::id::AccountId;
use mintreu_server::app::ReadCx;
use mintreu_server::domains::metering::totals;
use mintreu_server::domains::meters::model::event::CloudEvent;
use mintreu_server::domains::meters::model::meter::{DraftIn, Meter};
use mintreu_server::domains::meters::ops::{
    ByMeter, CreateMeter, DeleteMeter, IngestEvents, Outcome, StoreEvents, UpdateMeter,
    create_meter, delete_meter, ingest, store_events, update_meter,
};
use mintreu_server::store::StoreError;
use mintreu_tests::TestApp;
use mintreu_tests::test_server::{Browser, answer};
use reqwest::Method;
use serde_json::{Value, json};

const TARIFFS: [&str; 2] = ["EUR per_unit 0.0004", "EUR per_unit 0.01"];

/// A seller's program: its requests carry a token.
pub struct Program {
    pub browser: Browser,
    pub token: String,
}

impl Program {
    /// One that has a token of the account's, which is made a seller.
    pub async fn new(browser: Browser, email: &str) -> Self {
        let sign_up = json!({"email": email, "name": "Ada", "password": "correct horse battery"});
        let (status, _) = browser.post_json("/v1/accounts", &sign_up).await;
        assert!(status.is_success(), "{status}");
        let sign_in = json!({"email": email, "password": "correct horse battery"});
        let (status, _) = browser.post_json("/v1/sessions", &sign_in).await;
        assert!(status.is_success(), "{status}");
        let (status, _) = browser.post_json("/v1/me/developer", &json!({})).await;
        assert_eq!(status, 204);
        let (status, made) = browser
            .post_json("/v1/tokens", &json!({"name": "ingest"}))
            .await;
        assert_eq!(status, 201, "{made}");
        let token = made["token"].as_str().expect("a token").to_owned();
        Self { browser, token }
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let client = mintreu_server::net::client().build().expect("a client");
        let request = client.request(method, format!("{}{path}", self.browser.base));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let (status, json) = answer(request.send().await.expect("an answer")).await;
        (status.as_u16(), json)
    }

    pub async fn meter(&self, meter: Value) {
        let (status, json) = self.ask(Method::POST, "/v1/meters", Some(meter)).await;
        assert_eq!(status, 201, "{json}");
    }

    pub async fn send(&self, events: Vec<Value>) -> Value {
        let body = json!({"events": events});
        let (status, json) = self.ask(Method::POST, "/v1/events", Some(body)).await;
        assert_eq!(status, 200, "{json}");
        json
    }

    pub async fn rows(&self, path: &str) -> Vec<Value> {
        let (status, json) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{json}");
        json["rows"].as_array().expect("rows").clone()
    }

    async fn value(&self, meter: &str) -> Value {
        let rows = self.rows(&format!("/v1/meters/{meter}/usage")).await;
        rows.first().map_or(Value::Null, |row| row["value"].clone())
    }
}

pub fn event(id: &str, time: &str, data: Value) -> Value {
    json!({"id": id, "source": "tests", "specversion": "1.0", "type": "prompt",
        "subject": "ada", "time": time, "data": data})
}

const JAN: &str = "2027-01-10T12:00:00Z";

#[tokio::test]
async fn an_event_counts_once_whatever_is_sent_again() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        program
            .meter(
                json!({"slug": "tokens", "eventType": "prompt", "aggregation": "SUM",
                "valueProperty": "$.n", "groupBy": {"model": "$.model"}}),
            )
            .await;
        program
            .meter(json!({"slug": "calls", "eventType": "prompt", "aggregation": "COUNT"}))
            .await;
        let big = "900719925474099.300000000001";
        let exact: Value = serde_json::from_str(&format!("{{\"n\": \"{big}\"}}")).expect("json");
        let first = program
            .send(vec![
                event("1", JAN, exact.clone()),
                event("2", JAN, json!({"n": 0.1})),
            ])
            .await;
        assert_eq!(first["accepted"], 2, "{first}");
        // The same again with another time is the same; with other data it is refused alone.
        let again = program
            .send(vec![
                event("1", "2027-01-11T00:00:00Z", exact),
                event("2", JAN, json!({"n": 5})),
                event("3", JAN, json!({"n": 1, "model": "small"})),
                event("3", JAN, json!({"n": 1, "model": "small"})),
                event("3", JAN, json!({"n": 2})),
                json!({"id": "4"}),
                event("5", JAN, json!({"n": "NaN"})),
            ])
            .await;
        let statuses: Vec<_> = again["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|result| {
                (
                    result["status"].as_str().unwrap_or(""),
                    result["code"].as_str().unwrap_or(""),
                )
            })
            .collect();
        assert_eq!(
            statuses,
            [
                ("duplicate", ""),
                ("refused", "event_conflict"),
                ("accepted", ""),
                ("duplicate", ""),
                ("refused", "event_conflict"),
                ("refused", "usage_event_malformed"),
                ("accepted", ""),
            ]
        );
        let problem = again["results"][6]["detail"].as_str().expect("why");
        assert!(problem.contains("NaN"), "{problem}");
        assert_eq!(
            program.value("tokens").await,
            "900719925474100.400000000001"
        );
        assert_eq!(
            program.value("calls").await,
            "4",
            "events without a value are calls too"
        );
        let rows = program
            .rows("/v1/meters/tokens/usage?groupBy=model&groupBy=subject")
            .await;
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1]["group"]["model"], "small");
        assert_eq!(rows[1]["subject"], "ada");
        let small = program
            .rows("/v1/meters/tokens/usage?filterGroupBy[model]=small")
            .await;
        assert_eq!(small[0]["value"], "1");
        // A thousand times the same key is one event; the control with new keys is a thousand.
        let same = (0..1000).map(|n| {
            event(
                "same",
                &format!("2027-01-09T{:02}:{:02}:00Z", n / 60, n % 60),
                json!({"n": 1}),
            )
        });
        assert_eq!(program.send(same.collect()).await["duplicates"], 999);
        let other = (0..1000).map(|n| event(&format!("other {n}"), JAN, json!({"n": 1})));
        assert_eq!(program.send(other.collect()).await["accepted"], 1000);
        assert_eq!(program.value("calls").await, "1005");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_correction_takes_back_one_event_from_every_aggregation() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        for aggregation in [
            "COUNT",
            "SUM",
            "MIN",
            "MAX",
            "LATEST",
            "UNIQUE_COUNT",
            "AVG",
            "PERCENTILE",
            "WEIGHTED_SUM",
        ] {
            program
                .meter(
                    json!({"slug": aggregation.to_lowercase(), "eventType": "prompt",
                "aggregation": aggregation, "valueProperty": "$.n"}),
                )
                .await;
        }
        let at = |minute: u32| format!("2027-01-10T12:{minute:02}:00Z");
        let events = vec![
            event("1", &at(0), json!({"n": 10})),
            event("2", &at(0), json!({"n": 2})),
            event("3", &at(30), json!({"n": 90})),
            event("4", &at(59), json!({"n": 4})),
        ];
        program.send(events).await;
        let hour = "from=2027-01-10T12:00:00Z&to=2027-01-10T13:00:00Z";
        let values = async || {
            let mut values = Vec::new();
            for slug in [
                "count",
                "sum",
                "min",
                "max",
                "latest",
                "unique_count",
                "avg",
                "percentile",
                "weighted_sum",
            ] {
                let rows = program
                    .rows(&format!("/v1/meters/{slug}/usage?{hour}"))
                    .await;
                values.push(rows[0]["value"].as_str().unwrap_or("none").to_owned());
            }
            values
        };
        // The level: 12 for an hour, 90 for its half, 4 for a minute.
        assert_eq!(
            values().await,
            [
                "4",
                "106",
                "2",
                "90",
                "4",
                "4",
                "26.5",
                "90",
                "57.066666666667"
            ]
        );
        let back = json!({"id": "r3", "source": "tests", "specversion": "1.0", "reverses": "3"});
        let sent = program.send(vec![back.clone(), back.clone()]).await;
        assert_eq!(
            (&sent["accepted"], &sent["duplicates"]),
            (&json!(1), &json!(1)),
            "{sent}"
        );
        assert_eq!(
            values().await,
            [
                "3",
                "16",
                "2",
                "10",
                "4",
                "3",
                "5.333333333333",
                "10",
                "12.066666666667"
            ]
        );
        // Twice, of a reversal, and of nothing: refused, and nothing changes.
        let second = json!({"id": "r3b", "source": "tests", "specversion": "1.0", "reverses": "3"});
        let of_reversal =
            json!({"id": "rr", "source": "tests", "specversion": "1.0", "reverses": "r3"});
        let of_nothing =
            json!({"id": "rn", "source": "tests", "specversion": "1.0", "reverses": "9"});
        let sent = program
            .send(vec![second, of_reversal, of_nothing, back])
            .await;
        let codes: Vec<_> = sent["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|result| result["code"].as_str().unwrap_or(""))
            .collect();
        assert_eq!(
            codes,
            ["event_reversed", "event_reversed", "event_unknown", ""]
        );
        assert_eq!(values().await[0], "3");
        // The event itself is there still, linked both ways, and can't come back.
        let (_, listed) = program.ask(Method::GET, "/v1/events?id=3", None).await;
        assert_eq!(listed["events"][0]["reversed_by"], "r3");
        let again = program
            .send(vec![event("3", &at(30), json!({"n": 90}))])
            .await;
        assert_eq!(again["duplicates"], 1);
        assert_eq!(values().await[0], "3");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn windows_follow_the_clock_on_the_wall() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        program.meter(json!({"slug": "calls", "eventType": "prompt", "aggregation": "COUNT"})).await;
        // New York set its clocks back on 1 November 2026: that day has 25 hours.
        let hours = (0..75).map(|n| {
            let at = mintreu::Timestamp::from_secs(1_793_419_200 + n * 3600);
            event(&format!("{n}"), &rfc3339(at), json!({}))
        });
        program.send(hours.collect()).await;
        let days = "windowSize=DAY&windowTimeZone=America/New_York&from=2026-10-31T04:00:00Z&to=2026-11-03T05:00:00Z";
        let rows = program.rows(&format!("/v1/meters/calls/usage?{days}")).await;
        let counts: Vec<_> = rows.iter().map(|row| row["value"].as_str().unwrap_or("")).collect();
        assert_eq!(counts, ["24", "25", "24"]);
        assert_eq!(rows[1]["to"].as_i64().unwrap_or(0) - rows[1]["from"].as_i64().unwrap_or(0), 25 * 3_600_000);
        // In India days begin at half past.
        let kolkata = "windowSize=DAY&windowTimeZone=Asia/Kolkata&from=2026-10-30T18:30:00Z&to=2026-11-01T18:30:00Z&fill=true";
        let rows = program.rows(&format!("/v1/meters/calls/usage?{kolkata}")).await;
        let counts: Vec<_> = rows.iter().map(|row| row["value"].as_str().unwrap_or("")).collect();
        assert_eq!(counts, ["15", "24"]);
        let (status, json) = program.ask(Method::GET, "/v1/meters/calls/usage?windowSize=DAY&windowTimeZone=Mars/X", None).await;
        assert_eq!((status, &json["code"]), (400, &json!("question_malformed")));
        let csv = program.browser.client.get(format!("{}/v1/meters/calls/usage?{days}", program.browser.base));
        let csv = csv.header("accept", "text/csv").send().await.expect("an answer").text().await.expect("text");
        assert!(csv.lines().nth(1).is_some_and(|line| line.ends_with(",24,24,true")), "{csv}");
        server.stop().await;
    })
    .await;
}

fn rfc3339(at: mintreu::Timestamp) -> String {
    let days = at.ms().div_euclid(86_400_000);
    let hour = at.ms().rem_euclid(86_400_000) / 3_600_000;
    // 30 October 2026 is day 20756 of the epoch.
    let (month, day) = match days - 20_756 {
        0 => (10, 30),
        1 => (10, 31),
        later => (11, later - 1),
    };
    format!("2026-{month}-{day:02}T{hour:02}:00:00Z")
}

#[tokio::test]
async fn a_token_is_good_for_meters_alone_and_ends_when_revoked() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        let (status, _) = program.ask(Method::GET, "/v1/meters", None).await;
        assert_eq!(status, 200);
        let (status, json) = program.ask(Method::GET, "/v1/me", None).await;
        assert_eq!(status, 401, "{json}");
        let (_, tokens) = program.browser.get_json("/v1/tokens").await;
        assert_eq!(tokens["tokens"].as_array().map(Vec::len), Some(1));
        assert!(!tokens.to_string().contains(&program.token));
        let other = Program::new(server.browser(), "eve@seller.example").await;
        program
            .meter(json!({"slug": "mine", "eventType": "x", "aggregation": "COUNT"}))
            .await;
        let (status, _) = other.ask(Method::GET, "/v1/meters/mine", None).await;
        assert_eq!(status, 404, "another seller's meter is nobody's");
        let id = tokens["tokens"][0]["token_id"].as_str().expect("an id");
        assert_eq!(other.browser.delete(&format!("/v1/tokens/{id}")).await, 404);
        assert_eq!(
            program.browser.delete(&format!("/v1/tokens/{id}")).await,
            204
        );
        let (status, json) = program.ask(Method::GET, "/v1/meters", None).await;
        assert_eq!((status, &json["code"]), (401, &json!("token_invalid")));
        server.stop().await;
    })
    .await;
}

async fn billed(test: &TestApp, sold: &Sold) -> i64 {
    let read = |cx: &mut ReadCx<'_>, license: &_| -> Result<_, StoreError> {
        totals(cx.tx, cx.caller.tenant, *license)
    };
    let totals = test.app.read(&test.system(), sold.license, read).await;
    totals.expect("totals").get("calls").copied().unwrap_or(0)
}

#[tokio::test]
async fn a_license_is_billed_by_whole_units_of_its_running_total() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let seller = sold.seller.account.expect("an account");
        let draft: DraftIn = serde_json::from_value(json!({"slug": "calls", "eventType": "call",
            "aggregation": "SUM", "valueProperty": "$.n", "productId": sold.product.to_string()}))
        .expect("a draft");
        let create = CreateMeter {
            seller,
            draft: draft.read().expect("a meter"),
        };
        test.app
            .transact(&sold.seller, create, create_meter)
            .await
            .expect("made");
        let send = async |id: &str, n: &str, reverses: Option<&str>| {
            let json = json!({"id": id, "source": "s", "specversion": "1.0", "type": "call",
                "subject": sold.license.to_string(), "data": {"n": n}, "reverses": reverses})
            .to_string();
            let event: CloudEvent<'_> = serde_json::from_str(&json).expect("an event");
            let events = vec![event.read(test.app.now()).expect("reads")];
            let command = IngestEvents { seller, events };
            let sent = ingest(&test.app, &sold.seller, command).await;
            sent.expect("taken").remove(0)
        };
        for (id, expected) in [("1", 0), ("2", 1), ("3", 1), ("4", 2), ("5", 3)] {
            assert_eq!(
                send(id, "0.6", None).await,
                Outcome::Accepted { problem: None }
            );
            assert_eq!(billed(test, &sold).await, expected);
        }
        assert_eq!(send("5", "0.6", None).await, Outcome::Duplicate);
        assert_eq!(billed(test, &sold).await, 3);
        send("back", "0", Some("1")).await;
        assert_eq!(billed(test, &sold).await, 2);
    })
    .await;
}

/// A seller whose events are looked at before the transaction that stores them, and whose meters
/// change in between.
struct Late<'t> {
    test: &'t TestApp,
    sold: Sold,
    seller: AccountId,
}

impl<'t> Late<'t> {
    async fn new(test: &'t TestApp) -> Self {
        let sold = sold(test, TARIFFS).await;
        let seller = sold.seller.account.expect("an account");
        Self { test, sold, seller }
    }

    /// A call of three units as it is seen by these meters.
    fn look(&self, id: &str, meters: &[&Meter]) -> StoreEvents {
        let json = json!({"id": id, "source": "s", "specversion": "1.0", "type": "call",
            "subject": self.sold.license.to_string(), "data": {"n": 3}})
        .to_string();
        let event: CloudEvent<'_> = serde_json::from_str(&json).expect("an event");
        let ingest = IngestEvents {
            seller: self.seller,
            events: vec![event.read(self.test.app.now()).expect("reads")],
        };
        let meters = meters.iter().map(|meter| (*meter).clone()).collect();
        StoreEvents::new(ingest, meters, self.test.app.now())
    }

    /// What becomes of it, and what the license is billed by from then on.
    async fn store(&self, events: StoreEvents) -> (Outcome, i64) {
        let app = &self.test.app;
        let stored = app.transact(&self.sold.seller, events, store_events).await;
        let outcome = stored.expect("taken").remove(0);
        (outcome, billed(self.test, &self.sold).await)
    }

    /// The meter `calls` of the product.
    async fn make(&self, aggregation: &str, kind: &str) -> Meter {
        let draft: DraftIn = serde_json::from_value(json!({"slug": "calls", "eventType": kind,
            "aggregation": aggregation, "valueProperty": "$.n",
            "productId": self.sold.product.to_string()}))
        .expect("a draft");
        let create = CreateMeter {
            seller: self.seller,
            draft: draft.read().expect("a meter"),
        };
        let app = &self.test.app;
        let made = app.transact(&self.sold.seller, create, create_meter).await;
        made.expect("made")
    }

    async fn rename(&self, meter: &Meter) -> Meter {
        let update = UpdateMeter {
            seller: self.seller,
            meter: ByMeter(meter.id.to_string()),
            name: Some("Calls".to_owned()),
            description: None,
        };
        let app = &self.test.app;
        let renamed = app.transact(&self.sold.seller, update, update_meter).await;
        renamed.expect("renamed")
    }

    async fn end(&self, meter: &Meter) {
        let delete = DeleteMeter {
            seller: self.seller,
            meter: ByMeter(meter.id.to_string()),
        };
        let app = &self.test.app;
        let ended = app.transact(&self.sold.seller, delete, delete_meter).await;
        ended.expect("ended");
    }
}

const TAKEN: Outcome = Outcome::Accepted { problem: None };

#[tokio::test]
async fn a_meter_that_was_made_after_events_were_looked_at_counts_them() {
    TestApp::both(async |test| {
        let late = Late::new(test).await;
        let early = late.look("early", &[]);
        let meter = late.make("SUM", "call").await;
        assert_eq!(late.store(early).await, (TAKEN, 3));
        let known = late.look("known", &[&meter]);
        assert_eq!(late.store(known).await, (TAKEN, 6));
    })
    .await;
}

#[tokio::test]
async fn a_meter_that_was_changed_after_events_were_looked_at_counts_them_as_it_is_then() {
    TestApp::both(async |test| {
        let late = Late::new(test).await;
        let sum = late.make("SUM", "call").await;
        let unnamed = late.look("unnamed", &[&sum]);
        let sum = late.rename(&sum).await;
        assert_eq!(
            late.store(unnamed).await,
            (TAKEN, 3),
            "a name changes nothing"
        );
        // What a meter measures never changes, but its slug is free for another when it has ended.
        let added_up = late.look("added up", &[&sum]);
        late.end(&sum).await;
        let count = late.make("COUNT", "call").await;
        assert_eq!(
            late.store(added_up).await,
            (TAKEN, 4),
            "one call, not three units"
        );
        let of_calls = late.look("of calls", &[&count]);
        late.end(&count).await;
        let other = late.make("SUM", "render").await;
        assert_eq!(late.store(of_calls).await, (TAKEN, 4), "no render");
        // The other way round: what the meters didn't ask for they do now.
        let no_render = late.look("no render", &[&other]);
        late.end(&other).await;
        late.make("SUM", "call").await;
        assert_eq!(late.store(no_render).await, (TAKEN, 7));
    })
    .await;
}

#[tokio::test]
async fn a_meter_that_ended_after_events_were_looked_at_counts_them_no_more() {
    TestApp::both(async |test| {
        let late = Late::new(test).await;
        let meter = late.make("SUM", "call").await;
        let before = late.look("before", &[&meter]);
        assert_eq!(late.store(before).await, (TAKEN, 3));
        let behind = late.look("behind", &[&meter]);
        let again = late.look("behind", &[&meter]);
        late.end(&meter).await;
        assert_eq!(late.store(behind).await, (TAKEN, 3));
        assert_eq!(
            late.store(again).await,
            (Outcome::Duplicate, 3),
            "it is stored"
        );
    })
    .await;
}

#[tokio::test]
async fn a_text_that_can_not_be_kept_is_refused_and_is_no_failure() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        let path = "/lago/api/v1/customers/c/current_usage?external_subscription_id=%00";
        let (status, json) = program.ask(Method::GET, path, None).await;
        assert_eq!(status, 422, "{json}");
    })
    .await;
}

#[tokio::test]
async fn a_plan_whose_charges_are_none_is_refused_and_is_no_failure() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        let path = "/lago/api/v1/plans";
        let plan = |charges: Value| Some(json!({"plan": {"code": "p", "charges": charges}}));
        for charges in [
            json!([1]),
            json!(["per unit"]),
            json!([[]]),
            json!({"a": 1}),
        ] {
            let (status, json) = program.ask(Method::POST, path, plan(charges)).await;
            assert_eq!(status, 422, "{json}");
            assert!(json["error_details"]["charges"].is_array(), "{json}");
        }
        let (status, json) = program.ask(Method::POST, path, plan(json!([]))).await;
        assert_eq!(status, 200, "{json}");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_path_that_is_no_text_is_not_found_as_a_problem() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        for path in [
            "/v1/meters/%ff/values/subject",
            "/api/v1/meters/a/group-by/%ff/values",
            "/v1/usage/streams/%ff/forks/00",
            "/v1/usage/streams/a/segments/%ff/1",
        ] {
            let (status, json) = program.ask(Method::GET, path, None).await;
            assert_eq!(
                (status, &json["code"]),
                (404, &json!("not_found")),
                "{path}"
            );
        }
        server.stop().await;
    })
    .await;
}
