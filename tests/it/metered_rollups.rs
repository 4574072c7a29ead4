//! Minutes that wait and minutes that were added to the roll-ups make one answer: what a plain count
//! of the events says, after every request.

use crate::metered_events::{Program, event};
use mintreu_tests::TestApp;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// More than one by one are read for a question, so that all are read together.
const SUBJECTS: u64 = 70;
/// Twice as many as may wait, and a few.
const REQUESTS: u64 = 150;
/// 10 January 2027, noon.
const NOON: i64 = 1_799_582_400_000;

/// The events of the `n`th request: spread over subjects and two hours, some of them late.
fn request(n: u64) -> Vec<(String, i64, i64)> {
    let part = |k: u64| {
        let mixed = (n * 3 + k).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let minute = (mixed / 7) % 120;
        let subject = format!("s{}", mixed % SUBJECTS);
        (
            subject,
            NOON + minute as i64 * 60_000 + 7_000,
            (mixed % 1000) as i64,
        )
    };
    (0..3).map(part).collect()
}

/// What each window of each subject comes to: the number, the sum, the least and the most.
type Counted = BTreeMap<(i64, String), (i64, i64, i64, i64)>;

fn plain(events: &[(String, i64, i64)], width: i64) -> Counted {
    let mut counted = Counted::new();
    for (subject, at, value) in events {
        let key = (at - at.rem_euclid(width), subject.clone());
        let so_far = counted.entry(key).or_insert((0, 0, i64::MAX, i64::MIN));
        *so_far = (
            so_far.0 + 1,
            so_far.1 + value,
            so_far.2.min(*value),
            so_far.3.max(*value),
        );
    }
    counted
}

fn number(value: &Value) -> i64 {
    let text = value.as_str().expect("a number's text");
    text.parse().expect("a whole number")
}

async fn asked(program: &Program, size: &str) -> Counted {
    let mut counted = Counted::new();
    for (place, slug) in ["calls", "sum", "least", "most"].into_iter().enumerate() {
        let path = format!("/v1/meters/{slug}/usage?windowSize={size}&groupBy=subject");
        for row in program.rows(&path).await {
            let subject = row["subject"].as_str().expect("a subject").to_owned();
            let key = (row["from"].as_i64().expect("an instant"), subject);
            let entry = counted.entry(key).or_default();
            let value = number(&row["value"]);
            match place {
                0 => entry.0 = value,
                1 => entry.1 = value,
                2 => entry.2 = value,
                _ => entry.3 = value,
            }
        }
    }
    counted
}

#[tokio::test]
async fn what_waits_and_what_is_stored_make_one_answer() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let program = Program::new(server.browser(), "ada@seller.example").await;
        let kinds = [("calls", "COUNT"), ("sum", "SUM"), ("least", "MIN"), ("most", "MAX")];
        for (slug, aggregation) in kinds {
            let value = (slug != "calls").then_some("$.n");
            program
                .meter(json!({"slug": slug, "eventType": "prompt", "aggregation": aggregation,
                    "valueProperty": value}))
                .await;
        }
        let mut sent = Vec::new();
        for n in 0..REQUESTS {
            let events = request(n);
            let bodies = events.iter().enumerate().map(|(k, (subject, at, value))| {
                let minute = (at - NOON) / 60_000;
                let time = format!("2027-01-10T{}:{:02}:07Z", 12 + minute / 60, minute % 60);
                let mut body = event(&format!("{n}-{k}"), &time, json!({"n": value}));
                body["subject"] = json!(subject);
                body
            });
            program.send(bodies.collect()).await;
            sent.extend(events);
            // In the first request, on both sides of each roll-up, and now and then.
            if n == 0 || n % 64 >= 62 || n % 64 == 0 || n % 37 == 0 {
                assert_eq!(asked(&program, "MINUTE").await, plain(&sent, 60_000), "{n}");
                assert_eq!(asked(&program, "HOUR").await, plain(&sent, 3_600_000), "{n}");
            }
        }
        let whole = program.rows("/v1/meters/sum/usage").await;
        let sum: i64 = sent.iter().map(|(_, _, value)| value).sum();
        assert_eq!(number(&whole[0]["value"]), sum);
        let first = sent.iter().map(|(_, at, _)| at - at.rem_euclid(60_000)).min();
        assert_eq!(whole[0]["from"].as_i64(), first, "from the first minute on");

        // To take one back finds what waits.
        let (subject, at, value) = sent.last().cloned().expect("events");
        let back = json!({"id": "back", "source": "tests", "specversion": "1.0", "reverses": format!("{}-2", REQUESTS - 1)});
        let (status, said) = program
            .ask(Method::POST, "/v1/events", Some(json!({"events": [back]})))
            .await;
        assert_eq!(status, 200, "{said}");
        sent.pop();
        assert_eq!(asked(&program, "MINUTE").await, plain(&sent, 60_000), "{subject} {at} {value}");
        server.stop().await;
    })
    .await;
}
