//! Usage counts exactly once, whatever happens between the device and the server.

use crate::metered::{Device, Sold, report, sold};
use mintreu::document::Kind;
use mintreu::license::open_bundle;
use mintreu::meter::{CellKey, ClosedTotal, Opening, OpeningReason, Position, Receipt};
use mintreu_server::app::ReadCx;
use mintreu_server::domains::billing::{
    UsageOfLicense, UsageOfProduct, license_usage, product_usage,
};
use mintreu_server::domains::metering::{Answer, Grain, MeteringError, Outcome, Window, totals};
use mintreu_server::store::StoreError;
use mintreu_tests::TestApp;
use mintreu_tests::test_server::{Browser, answer};
use reqwest::Method;
use std::collections::BTreeMap;

const TARIFFS: [&str; 2] = [
    "EUR per_unit 0.0004; free 1000",
    "EUR per_unit 0.01; free 100",
];

async fn counted(test: &TestApp, sold: &Sold) -> BTreeMap<String, i64> {
    let read = |cx: &mut ReadCx<'_>, license: &_| -> Result<_, StoreError> {
        totals(cx.tx, cx.caller.tenant, *license)
    };
    test.app
        .read(&test.system(), sold.license, read)
        .await
        .expect("totals")
}

fn units(counted: &BTreeMap<String, i64>) -> (i64, i64) {
    let of = |meter: &str| counted.get(meter).copied().unwrap_or(0);
    (of("calls"), of("renders"))
}

/// The position a receipt tells, verified by the product's pinned trust.
fn position(sold: &Sold, answer: &Answer) -> Position {
    let opened = open_bundle(Kind::Receipt, &answer.receipt, &sold.trust).expect("is trusted");
    Receipt::from_claims(opened.claims())
        .expect("a receipt")
        .position
}

fn seq_of(sold: &Sold, receipt: &[u8]) -> usize {
    let answer = Answer {
        outcome: Outcome::Counted,
        receipt: receipt.to_vec(),
    };
    position(sold, &answer).seq as usize
}

/// What the route answers.
struct Posted {
    status: u16,
    code: Option<String>,
    need: Option<u64>,
    receipt: Vec<u8>,
}

async fn post(carrier: &Browser, bytes: &[u8]) -> Posted {
    let request = carrier.request(Method::POST, "/v1/usage/segments");
    let request = request.header("content-type", "application/cose");
    let response = request
        .body(bytes.to_vec())
        .send()
        .await
        .expect("an answer");
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().expect("text").to_owned())
    };
    Posted {
        status: response.status().as_u16(),
        code: header("problem-code"),
        need: header("usage-need-from-seq").map(|need| need.parse().expect("a number")),
        receipt: response.bytes().await.expect("a body").to_vec(),
    }
}

#[tokio::test]
async fn the_route_says_what_is_wrong_and_what_to_do() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let server = test.serve().await;
        let carrier = server.browser();
        let (first, second) = (device.seal(test, 1, 1), device.seal(test, 2, 2));
        let send = async |bytes: &[u8], kind: &str, accept: &str| {
            let request = carrier.request(Method::POST, "/v1/usage/segments");
            let request = request
                .header("content-type", kind)
                .header("accept", accept);
            let sent = request.body(bytes.to_vec()).send().await;
            let (status, json) = answer(sent.expect("an answer")).await;
            (status.as_u16(), json)
        };
        let (status, json) = send(&second, "application/cose", "application/problem+json").await;
        assert_eq!((status, &json["code"]), (409, &"usage_gap".into()));
        assert_eq!(json["need_from_seq"], 1);
        assert!(
            json["receipt"]
                .as_str()
                .is_some_and(|receipt| receipt.len() > 100)
        );
        let (status, json) = send(&first, "application/json", "*/*").await;
        assert_eq!(
            (status, &json["code"]),
            (415, &"content_type_unsupported".into())
        );
        let (status, json) = send(b"rubbish", "application/cose", "*/*").await;
        assert_eq!((status, &json["code"]), (422, &"malformed".into()));
        let huge = vec![0; 3 << 20];
        let (status, json) = send(&huge, "application/cose", "*/*").await;
        assert_eq!((status, &json["code"]), (413, &"body_too_large".into()));
        let stranger = Device::new(9, sold.license).seal(test, 1, 1);
        let (status, json) = send(&stranger, "application/cose", "*/*").await;
        assert_eq!(
            (status, &json["code"]),
            (403, &"device_not_activated".into())
        );
        assert_eq!(post(&carrier, &first).await.status, 200);
        assert_eq!(units(&counted(test, &sold).await), (1, 1));
        server.stop().await;
    })
    .await;
}

/// The next of a fixed row of numbers that look random: splitmix64, so that a failure repeats.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[tokio::test]
async fn lost_doubled_and_reordered_segments_count_once() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let mut chance = 42;
        let (mut calls, mut renders, mut sealed) = (0, 0, Vec::new());
        let mut added = Vec::new();
        for _ in 0..40 {
            added.push(1 + next(&mut chance) % 100);
            calls += added[added.len() - 1];
            renders += next(&mut chance) % 10;
            sealed.push(device.seal(test, calls, renders));
        }
        // A network that brings any segment at any time, some never, until the device holds the
        // last receipt: it sends again what the watermark lacks.
        let server = test.serve().await;
        let carrier = server.browser();
        let (mut watermark, mut accepted) = (0, 0);
        let (mut gaps, mut repeats, mut naive) = (0, 0, 0);
        while watermark < sealed.len() {
            let behind = next(&mut chance) as usize % 4;
            let ahead = next(&mut chance) as usize % 5;
            let pick = (watermark + ahead).saturating_sub(behind);
            let pick = pick.min(sealed.len() - 1);
            let answer = post(&carrier, &sealed[pick]).await;
            naive += added[pick];
            let seq = seq_of(&sold, &answer.receipt);
            match (answer.status, answer.code.as_deref()) {
                (409, Some("usage_gap")) => {
                    assert_eq!(answer.need, Some(accepted as u64 + 1));
                    gaps += 1;
                }
                (200, None) if seq > accepted => assert_eq!((seq, pick), (accepted + 1, accepted)),
                (200, None) => repeats += 1,
                other => panic!("{other:?}"),
            }
            let new = seq > accepted;
            accepted = seq;
            if !next(&mut chance).is_multiple_of(3) {
                watermark = seq;
            } else if new {
                // The answer was lost: the same bytes again get the same receipt.
                let again = post(&carrier, &sealed[pick]).await;
                assert_eq!((again.status, again.receipt), (200, answer.receipt));
                naive += added[pick];
            }
        }
        server.stop().await;
        assert!(
            gaps > 5 && repeats > 5,
            "the network was too kind: {gaps} gaps, {repeats} repeats"
        );
        assert_eq!(
            units(&counted(test, &sold).await),
            (calls as i64, renders as i64)
        );
        // The control: a server that adds what each delivery says would be wrong by now.
        assert!(naive > calls, "{naive} delivered, {calls} counted");

        let window = Window::ending_at(test.app.now(), Grain::Day, 7);
        let query = UsageOfLicense {
            license: sold.license,
            window,
        };
        let usage = test
            .app
            .read(&sold.customer, query, license_usage)
            .await
            .expect("is shown");
        let charted: i64 = usage.meters[0].series.iter().map(|day| day.units).sum();
        assert_eq!(
            (usage.meters[0].name.as_str(), charted),
            ("calls", calls as i64)
        );
        let query = UsageOfProduct {
            product: sold.product,
            window,
        };
        let usage = test
            .app
            .read(&sold.seller, query, product_usage)
            .await
            .expect("is shown");
        let charted: i64 = usage.meters["renders"].iter().map(|day| day.units).sum();
        assert_eq!(charted, renders as i64);
        assert_eq!(usage.licenses[0].units, (calls + renders) as i64);
        let nobody = test
            .app
            .read(&sold.customer, query, product_usage)
            .await
            .expect("is empty");
        assert!(nobody.meters.is_empty());
    })
    .await;
}

#[tokio::test]
async fn twenty_deliveries_at_once_count_once_and_devices_add_up() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let (mut one, mut two) = (
            Device::activated(test, 1, sold.license).await,
            Device::activated(test, 2, sold.license).await,
        );
        let segments = [one.seal(test, 10, 1), two.seal(test, 5, 2)];
        let mut deliveries = tokio::task::JoinSet::new();
        for round in 0..40 {
            let (app, guest) = (test.app.clone(), test.guest());
            let bytes = segments[round % 2].clone();
            deliveries.spawn(async move {
                use mintreu_server::domains::metering::AcceptSegment;
                use mintreu_server::domains::meters::ops::accept_segment;
                let command = AcceptSegment::read(bytes).expect("reads");
                app.transact(&guest, command, accept_segment)
                    .await
                    .expect("is believed")
            });
        }
        let answers = deliveries.join_all().await;
        let fresh = answers
            .iter()
            .filter(|answer| answer.outcome == Outcome::Counted)
            .count();
        assert_eq!(fresh, 2);
        let receipts: std::collections::BTreeSet<_> =
            answers.into_iter().map(|answer| answer.receipt).collect();
        assert_eq!(receipts.len(), 2, "one receipt a stream, byte for byte");
        assert_eq!(units(&counted(test, &sold).await), (15, 3));
    })
    .await;
}

#[tokio::test]
async fn a_fork_is_evidence_and_a_new_epoch_disputes_what_diverged() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let first = device.seal(test, 10, 0);
        let mut copy = device.clone();
        let (theirs, ours) = (device.seal(test, 30, 0), copy.seal(test, 60, 0));
        for bytes in [&first, &theirs] {
            let answer = report(test, bytes).await.expect("is believed");
            assert_eq!(answer.outcome, Outcome::Counted);
        }
        for _ in 0..3 {
            let answer = report(test, &ours).await.expect("is believed");
            assert_eq!(answer.outcome, Outcome::Fork);
            assert_eq!(
                position(&sold, &answer).seq,
                2,
                "the chain that was counted stands"
            );
        }
        assert_eq!(units(&counted(test, &sold).await), (30, 0));

        // The copy learns of it and begins a new epoch: what it counted since its last receipt is
        // shown and not billed; what it counts from now on is.
        copy = Device {
            epoch: 2,
            seq: 0,
            head: mintreu::meter::GENESIS,
            ..copy
        };
        let opening = Opening {
            reason: OpeningReason::Forked,
            closed_epoch: 1,
            closed: vec![ClosedTotal {
                key: CellKey::new("calls").expect("a key"),
                acknowledged: 10,
                counted: 60,
            }],
        };
        let reopened = copy.seal_opening(test, 7, 0, Some(opening));
        for expected in [Outcome::Counted, Outcome::CountedBefore] {
            assert_eq!(
                report(test, &reopened).await.expect("believed").outcome,
                expected
            );
        }
        assert_eq!(units(&counted(test, &sold).await), (37, 0));
        let window = Window::ending_at(test.app.now(), Grain::Hour, 2);
        let query = UsageOfLicense {
            license: sold.license,
            window,
        };
        let usage = test
            .app
            .read(&sold.seller, query, license_usage)
            .await
            .expect("is shown");
        assert_eq!(usage.meters[0].disputed_units, 50);
        let late = report(test, &theirs).await.expect("is believed");
        assert_eq!(
            late.outcome,
            Outcome::CountedBefore,
            "an old epoch's segment is still known"
        );
    })
    .await;
}

#[tokio::test]
async fn an_epoch_that_recovered_owes_what_it_had_not_reported() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 10, 0))
            .await
            .expect("is believed");
        device = Device {
            epoch: 2,
            seq: 0,
            head: mintreu::meter::GENESIS,
            ..device
        };
        let opening = Opening {
            reason: OpeningReason::Recovered,
            closed_epoch: 1,
            closed: vec![ClosedTotal {
                key: CellKey::new("calls").expect("a key"),
                acknowledged: 10,
                counted: 25,
            }],
        };
        let reopened = device.seal_opening(test, 3, 0, Some(opening.clone()));
        report(test, &reopened).await.expect("is believed");
        assert_eq!(units(&counted(test, &sold).await), (28, 0));
        // Claiming the same remainder again in a further epoch adds nothing.
        device = Device {
            epoch: 3,
            seq: 0,
            head: mintreu::meter::GENESIS,
            ..device
        };
        report(test, &device.seal_opening(test, 1, 0, Some(opening)))
            .await
            .expect("is believed");
        assert_eq!(units(&counted(test, &sold).await), (29, 0));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_believed_changes_nothing() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let refused = async |bytes: &[u8]| {
            let error = report(test, bytes).await.expect_err("is refused");
            mintreu_server::problem::Problem::from(error)
        };
        let mut stranger = Device::new(9, sold.license);
        let problem = refused(&stranger.seal(test, 5, 5)).await;
        assert_eq!(
            (problem.status, problem.code),
            (403, "device_not_activated")
        );

        let first = device.seal(test, 10, 10);
        for at in (0..first.len()).step_by(7) {
            let mut flipped = first.clone();
            flipped[at] ^= 1;
            let problem = refused(&flipped).await;
            assert!(problem.status < 500, "{problem:?}");
        }
        assert_eq!(refused(b"").await.status, 422);
        assert_eq!(refused(&vec![0xd2; 1_000_000]).await.status, 422);
        report(test, &first).await.expect("is believed");
        let fell = device.seal(test, 20, 9);
        assert_eq!(refused(&fell).await.code, "usage_regressed");
        assert_eq!(
            units(&counted(test, &sold).await),
            (10, 10),
            "the whole segment is refused"
        );
        let mut huge = Device::activated(test, 3, sold.license).await;
        assert_eq!(
            refused(&huge.seal(test, 1 << 60, 0)).await.code,
            "usage_implausible"
        );
    })
    .await;
}

#[tokio::test]
async fn a_revoked_license_counts_no_more() {
    TestApp::both(async |test| {
        use mintreu_server::domains::licensing::{Revoke, revoke};
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 10, 0))
            .await
            .expect("is believed");
        let command = Revoke {
            license: sold.license,
            reason: "refunded".to_owned(),
        };
        test.app
            .transact(&sold.seller, command, revoke)
            .await
            .expect("is revoked");
        let refused = report(test, &device.seal(test, 20, 0)).await;
        assert!(
            matches!(refused, Err(MeteringError::Revoked)),
            "{refused:?}"
        );
        assert_eq!(units(&counted(test, &sold).await), (10, 0));
    })
    .await;
}

/// Every statement of usage, invoices and plans prepares, with parameters of the three types.
#[tokio::test]
async fn every_statement_prepares() {
    use mintreu_server::domains::{billing, invoicing, metering};
    TestApp::both(async |test| {
        let usage = metering::sql::ALL.iter().flat_map(|list| list.iter());
        let all = usage
            .chain(billing::sql::ALL)
            .chain(invoicing::sql::ALL)
            .chain(mintreu_server::notify::sql::ALL);
        for statement in all {
            let prepared = test.app.store.prepare(statement).await;
            assert!(prepared.is_ok(), "{statement}: {prepared:?}");
        }
    })
    .await;
}
