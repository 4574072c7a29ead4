//! What devices carry in segments and what services send as events, counted together by meters.

use crate::metered::{Device, Sold, report, sold};
use mintreu::Timestamp;
use mintreu::meter::{CellKey, Event, TimeQuality, Total};
use mintreu_server::app::ReadCx;
use mintreu_server::domains::metering::{Outcome, totals};
use mintreu_server::domains::meters::model::event::CloudEvent;
use mintreu_server::domains::meters::model::meter::DraftIn;
use mintreu_server::domains::meters::model::window::{Step, zone};
use mintreu_server::domains::meters::ops::{
    ByMeter, CreateMeter, IngestEvents, UsageQuery, UsageRow, create_meter, ingest, usage,
};
use mintreu_server::store::StoreError;
use mintreu_tests::TestApp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TARIFFS: [&str; 2] = ["EUR per_unit 0.01", "EUR per_unit 0.00"];
const HOUR_MS: i64 = 3_600_000;

async fn meter(test: &TestApp, sold: &Sold, json: Value) {
    let draft: DraftIn = serde_json::from_value(json).expect("a draft");
    let create = CreateMeter {
        seller: sold.seller.account.expect("an account"),
        draft: draft.read().expect("a meter"),
    };
    let made = test.app.transact(&sold.seller, create, create_meter);
    made.await.expect("made");
}

/// Five meters: two of counts, three of events.
async fn meters(test: &TestApp, sold: &Sold) {
    for json in [
        json!({"slug": "by_model", "eventType": "calls", "aggregation": "SUM",
            "valueProperty": "$.n", "groupBy": {"model": "$.model"}}),
        json!({"slug": "calls", "eventType": "call", "aggregation": "COUNT",
            "productId": sold.product.to_string()}),
        json!({"slug": "users", "eventType": "seconds", "aggregation": "UNIQUE_COUNT",
            "valueProperty": "$.user"}),
        json!({"slug": "newest", "eventType": "seconds", "aggregation": "LATEST",
            "valueProperty": "$.value"}),
        json!({"slug": "median", "eventType": "seconds", "aggregation": "PERCENTILE",
            "percentile": "50", "valueProperty": "$.value"}),
    ] {
        meter(test, sold, json).await;
    }
}

async fn rows(
    test: &TestApp,
    sold: &Sold,
    slug: &str,
    groups: &[&str],
    hourly: bool,
) -> Vec<UsageRow> {
    let step = hourly.then(|| (Step::Hour, zone("UTC").expect("a zone")));
    let query = UsageQuery {
        seller: sold.seller.account.expect("an account"),
        meter: ByMeter(slug.to_owned()),
        from: None,
        until: None,
        step,
        subjects: Vec::new(),
        by_subject: false,
        filters: BTreeMap::new(),
        group_by: groups.iter().map(|name| (*name).to_owned()).collect(),
        percentile: None,
        fill: false,
    };
    let answer = test.app.read(&sold.seller, query, usage).await;
    answer.expect("answers").rows
}

async fn value(test: &TestApp, sold: &Sold, slug: &str) -> String {
    let rows = rows(test, sold, slug, &[], false).await;
    let value = rows.first().and_then(|row| row.figure.value);
    value.map_or_else(String::new, |value| value.to_string())
}

async fn send(test: &TestApp, sold: &Sold, events: &[Value]) {
    let read = |json: &Value| {
        let text = json.to_string();
        let event: CloudEvent<'_> = serde_json::from_str(&text).expect("an event");
        event.read(test.app.now()).expect("reads")
    };
    let command = IngestEvents {
        seller: sold.seller.account.expect("an account"),
        events: events.iter().map(read).collect(),
    };
    let sent = ingest(&test.app, &sold.seller, command).await;
    sent.expect("are taken");
}

fn event(sold: &Sold, id: &str, kind: &str, data: Value) -> Value {
    json!({"id": id, "source": "s", "specversion": "1.0", "type": kind,
        "subject": sold.license.to_string(), "data": data})
}

fn calls(model: &str, units: u64) -> Total {
    let key = CellKey::new("calls").expect("a key");
    Total {
        key: key.dimension("model", model).expect("a key"),
        units,
    }
}

fn took(id: &str, user: &str, at: Timestamp, value: &str) -> Event {
    let key = CellKey::new("seconds").expect("a key");
    let key = key.dimension("user", user).expect("a key");
    let value = value.parse().expect("a decimal");
    Event::new(id, key, at, value).expect("an event")
}

#[tokio::test]
async fn devices_and_services_are_counted_together_and_once() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        meters(test, &sold).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        test.clock.advance(60_000);
        let now = test.app.now();
        let said = (now, TimeQuality::Plausible);
        let events = vec![took("a", "ada", now, "1.5"), took("b", "bob", now, "9")];
        let first = device.seal_with(
            said,
            (vec![calls("big", 3), calls("tiny", 5)], events),
            None,
        );
        let again = vec![took("b", "bob", now, "9"), took("c", "ada", now, "2.5")];
        let second = device.seal_with(said, (vec![calls("big", 10)], again), None);
        for segment in [&first, &second] {
            report(test, segment).await.expect("is believed");
        }
        // Later, in the same minute.
        test.clock.advance(30_000);
        send(
            test,
            &sold,
            &[
                event(&sold, "1", "calls", json!({"n": "0.5", "model": "big"})),
                event(&sold, "2", "call", json!({})),
                event(&sold, "3", "seconds", json!({"user": "cyd", "value": 4})),
            ],
        )
        .await;
        for _ in 0..2 {
            assert_eq!(value(test, &sold, "by_model").await, "15.5");
            assert_eq!(
                value(test, &sold, "calls").await,
                "16",
                "and the event of its own type"
            );
            assert_eq!(value(test, &sold, "users").await, "3");
            assert_eq!(
                value(test, &sold, "newest").await,
                "4",
                "the last to happen"
            );
            assert_eq!(value(test, &sold, "median").await, "2.5");
            let by_model = rows(test, &sold, "by_model", &["model"], false).await;
            let by_model: Vec<_> = by_model
                .iter()
                .map(|row| {
                    (
                        row.group["model"].clone(),
                        row.figure.value.expect("a sum").to_string(),
                    )
                })
                .collect();
            let expected = [("big", "10.5"), ("tiny", "5")];
            assert_eq!(
                by_model,
                expected.map(|(model, sum)| (model.to_owned(), sum.to_owned()))
            );
            // The same again changes nothing.
            let answer = report(test, &second).await.expect("is a success");
            assert_eq!(answer.outcome, Outcome::CountedBefore);
        }
        // What is billed: the device's counts, and the event of the billed meter.
        let read = |cx: &mut ReadCx<'_>, license: &_| -> Result<_, StoreError> {
            totals(cx.tx, cx.caller.tenant, *license)
        };
        let billed = test.app.read(&test.system(), sold.license, read).await;
        assert_eq!(billed.expect("totals")["calls"], 16);
        // An event that is taken back leaves what devices counted in its minute.
        let back = json!({"id": "back", "source": "s", "specversion": "1.0", "reverses": "1"});
        let stream = mintreu::meter::stream_id(device.key.public(), sold.license).to_string();
        let of_device =
            json!({"id": "b-back", "source": stream, "specversion": "1.0", "reverses": "b"});
        send(test, &sold, &[back, of_device]).await;
        assert_eq!(value(test, &sold, "by_model").await, "15");
        assert_eq!(value(test, &sold, "users").await, "2");
        assert_eq!(value(test, &sold, "calls").await, "16");
    })
    .await;
}

#[tokio::test]
async fn a_count_is_of_the_window_in_which_it_was_sealed() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        meters(test, &sold).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let began = test.app.now();
        let later = |hours| began.plus_ms(hours * HOUR_MS);
        test.clock
            .advance(u32::try_from(5 * HOUR_MS).expect("hours"));
        for (at, quality, units) in [
            (later(1), TimeQuality::Plausible, 3),
            (later(2), TimeQuality::Unknown, 5),
            // Its clock was set back: what it says is not believed.
            (later(-90), TimeQuality::Suspect, 12),
            // Its clock is ahead, or behind its own activation.
            (later(900), TimeQuality::Plausible, 13),
            (later(-900), TimeQuality::Plausible, 20),
        ] {
            let segment =
                device.seal_with((at, quality), (vec![calls("big", units)], Vec::new()), None);
            report(test, &segment).await.expect("is believed");
        }
        let rows = rows(test, &sold, "by_model", &[], true).await;
        let seen: Vec<_> = rows
            .iter()
            .map(|row| {
                let hours = (row.span.from - began.ms()).div_euclid(HOUR_MS);
                (hours, row.figure.value.expect("a sum").to_string())
            })
            .collect();
        let expected = [(0, "7"), (1, "3"), (2, "2"), (5, "8")];
        assert_eq!(seen, expected.map(|(hour, sum)| (hour, sum.to_owned())));
    })
    .await;
}

#[tokio::test]
async fn meters_of_others_count_nothing_of_it() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let other = crate::metered::person(
            test,
            mintreu::id::AccountId::from_bytes(*b"another seller's"),
            mintreu_server::caller::Role::Developer,
        );
        let theirs = Sold {
            seller: other,
            customer: sold.customer.clone(),
            trust: sold.trust.clone(),
            ..sold
        };
        meter(
            test,
            &theirs,
            json!({"slug": "calls", "eventType": "calls", "aggregation": "COUNT"}),
        )
        .await;
        let mut device = Device::activated(test, 1, theirs.license).await;
        let segment = device.seal(test, 7, 1);
        report(test, &segment).await.expect("is believed");
        assert_eq!(value(test, &theirs, "calls").await, "");
    })
    .await;
}
