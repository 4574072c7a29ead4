//! Events lie in blocks, and are listed, found and told apart as if each had a row of its own.

use crate::metered_events::{Program, event};
use mintreu_server::store::{Attempt, Engine, Tx};
use mintreu_tests::TestApp;
use reqwest::Method;
use serde_json::{Value, json};
use std::cmp::Reverse;

/// The instant of a second of a day.
fn at(second: u32) -> String {
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("2027-01-10T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

/// The same in milliseconds.
fn ms(second: u32) -> i64 {
    1_799_539_200_000 + i64::from(second) * 1000
}

async fn listed(program: &Program, query: &str) -> Vec<(i64, String)> {
    let (status, json) = program
        .ask(Method::GET, &format!("/v1/events?{query}"), None)
        .await;
    assert_eq!(status, 200, "{json}");
    let read = |event: &Value| Some((event["time"].as_i64()?, event["id"].as_str()?.to_owned()));
    let events = json["events"].as_array().expect("events").iter();
    events.map(|event| read(event).expect("an event")).collect()
}

#[tokio::test]
async fn blocks_that_overlap_are_listed_in_the_order_of_time() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        let mut sent = Vec::new();
        let mut seed = 1_u32;
        for request in 0..12 {
            let mut events = Vec::new();
            // Requests of a minute, of an hour and of the whole day.
            let (from, stretch) = [(36_000, 60), (34_000, 3_600), (0, 80_000)][request % 3];
            for n in 0..150 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let second = from + (seed >> 8) % stretch;
                let id = format!("{request}-{n}");
                let mut one = event(&id, &at(second), json!({}));
                one["subject"] = json!(["ada", "bob"][n % 2]);
                events.push(one);
                sent.push((ms(second), id, n % 2));
            }
            assert_eq!(program.send(events).await["accepted"], 150);
        }
        let sorted = |wanted: &dyn Fn(&(i64, String, usize)) -> bool| {
            let wanted = sent.iter().filter(|one| wanted(one));
            let mut found: Vec<_> = wanted.map(|(time, id, _)| (*time, id.clone())).collect();
            found.sort_by(|one, other| (Reverse(one.0), &one.1).cmp(&(Reverse(other.0), &other.1)));
            found
        };
        let all = sorted(&|_| true);
        for (skip, limit) in [(0, 10), (7, 100), (900, 300), (1_795, 100), (1_800, 10)] {
            let page = listed(&program, &format!("skip={skip}&limit={limit}")).await;
            let expected: Vec<_> = all.iter().skip(skip).take(limit).cloned().collect();
            assert_eq!(page, expected, "{skip} {limit}");
        }
        let of_bob = sorted(&|(_, _, who)| *who == 1);
        let page = listed(&program, "subject=bob&skip=200&limit=50").await;
        assert_eq!(page, of_bob[200..250]);
        let (from, until) = (ms(35_990), ms(36_030));
        let within = sorted(&|(time, _, _)| (from..until).contains(time));
        assert!(within.len() > 100, "the stretch cuts blocks of all kinds");
        let page = listed(&program, &format!("from={from}&to={until}&limit=1000")).await;
        assert_eq!(page, within);
        assert_eq!(listed(&program, "id=5-7").await.len(), 1);
        assert_eq!(listed(&program, "id=5-700").await.len(), 0);
        let (status, refused) = program
            .ask(Method::GET, "/v1/events?skip=100001", None)
            .await;
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("answer_too_large"))
        );
        server.stop().await;
    })
    .await;
}

/// How events were stored before they lay in blocks.
const BEFORE: &str = "CREATE TABLE usage_event (seller_id BYTEA NOT NULL, source TEXT NOT NULL,
    event_id TEXT NOT NULL, event_type TEXT NOT NULL, subject TEXT NOT NULL,
    occurred_at BIGINT NOT NULL, ingested_at BIGINT NOT NULL, data TEXT NOT NULL, problem TEXT,
    reverses TEXT, reversed_by TEXT, PRIMARY KEY (seller_id, source, event_id))";

const OLD: &str = r#"INSERT INTO usage_event
    SELECT seller_id, 'tests', 'old', 'prompt', 'ada', 1800000000000, 1800000000007,
        '{"n":"900719925474099.31","s":"a\"b"}', 'a problem', NULL, NULL FROM usage_event_key
    UNION ALL SELECT seller_id, 'tests', 'gone', 'prompt', 'ada', 1800000001000, 1800000001007,
        '', NULL, NULL, 'r' FROM usage_event_key
    UNION ALL SELECT seller_id, 'tests', 'r', 'prompt', 'ada', 1800000001000, 1800000002007,
        '', NULL, 'gone', NULL FROM usage_event_key"#;

#[tokio::test]
async fn events_from_before_there_were_blocks_are_still_there() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        program.send(vec![event("seller", &at(0), json!({}))]).await;
        let migration = match test.engine() {
            Engine::Sqlite => include_str!("../../server/migrations/0039_usage_blocks.sqlite.sql"),
            Engine::Postgres => {
                include_str!("../../server/migrations/0039_usage_blocks.postgres.sql")
            }
        };
        let (_, moves) = migration
            .split_once("-- What was stored before: a block for each event.")
            .expect("the part that moves events");
        let mut statements = vec![
            BEFORE,
            OLD,
            "DELETE FROM usage_event_key",
            "DELETE FROM usage_block",
        ];
        statements.extend(moves.split(';').filter(|text| !text.trim().is_empty()));
        let statements: Vec<String> = statements.into_iter().map(str::to_owned).collect();
        let run = move |tx: &mut dyn Tx| {
            for sql in &statements {
                if let Err(error) = tx.execute(sql, &[]) {
                    return Attempt::Rollback(Err(format!("{error} in: {sql}")));
                }
            }
            Attempt::Commit(Ok(()))
        };
        let written = test.app.store.write(Vec::new(), run).await;
        written.expect("a commit").expect("moves");
        let (_, all) = program.ask(Method::GET, "/v1/events", None).await;
        let ids = all["events"].as_array().expect("events").iter();
        assert_eq!(
            ids.map(|event| event["id"].clone()).collect::<Vec<_>>(),
            ["gone", "r", "old"]
        );
        assert_eq!(all["events"][0]["reversed_by"], "r");
        assert_eq!(all["events"][1]["reverses"], "gone");
        assert_eq!(all["events"][2]["problem"], "a problem");
        let old = event(
            "old",
            &at(0),
            json!({"n": "900719925474099.31", "s": "a\"b"}),
        );
        let other = event(
            "old",
            &at(0),
            json!({"n": "900719925474099.32", "s": "a\"b"}),
        );
        let sent = program
            .send(vec![old, event("new", &at(0), json!({}))])
            .await;
        assert_eq!(sent["results"][0]["status"], "duplicate", "{sent}");
        assert_eq!(sent["results"][1]["status"], "accepted");
        let sent = program.send(vec![other]).await;
        assert_eq!(sent["results"][0]["code"], "event_conflict", "{sent}");
        let again =
            json!({"id": "r2", "source": "tests", "specversion": "1.0", "reverses": "gone"});
        let back = json!({"id": "r3", "source": "tests", "specversion": "1.0", "reverses": "old"});
        let sent = program.send(vec![again, back]).await;
        assert_eq!(sent["results"][0]["code"], "event_reversed", "{sent}");
        assert_eq!(sent["results"][1]["status"], "accepted", "{sent}");
        server.stop().await;
    })
    .await;
}
