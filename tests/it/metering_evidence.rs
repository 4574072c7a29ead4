//! What stands behind counted usage: exports, invoices' segments, disputes and restored servers.

use crate::metered::{Device, Sold, report, sold};
use mintreu::id::{InvoiceId, StreamId};
use mintreu::meter::{
    Audit, AuditReport, CellKey, ClosedTotal, Opening, OpeningReason, Source, stream_id,
};
use mintreu_server::app::ReadCx;
use mintreu_server::domains::billing::{BillNow, Billed, bill_now};
use mintreu_server::domains::metering::evidence::{
    BehindInvoice, BehindPeriod, DecideDispute, DisputesOf, NoticeRestore, ProveRestore, Trouble,
    TroubleOf, behind_invoice, behind_period, decide_dispute, export, notice_restore,
    prove_restore, trouble,
};
use mintreu_server::domains::metering::{MeteringError, Outcome, disputed, totals};
use mintreu_server::store::StoreError;
use mintreu_tests::TestApp;
use std::sync::{Arc, Mutex};

const DAY_MS: u32 = 86_400_000;
const TARIFFS: [&str; 2] = ["EUR per_unit 0.50", "EUR per_unit 1.00; free 2"];

async fn exported(test: &TestApp, sold: &Sold) -> Result<Vec<u8>, MeteringError> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let (app, caller) = (test.app.clone(), sold.customer.clone());
    let out = written.clone();
    export(app, caller, sold.license, move |piece| {
        out.lock().expect("no panic").extend(piece);
        async { true }
    })
    .await?;
    let bytes = written.lock().expect("no panic").clone();
    Ok(bytes)
}

fn judged(sold: &Sold, bytes: &[u8]) -> AuditReport {
    let mut audit = Audit::new(Some(sold.trust.clone()));
    bytes.chunks(700).for_each(|piece| audit.feed(piece));
    audit.finish()
}

async fn counted(test: &TestApp, sold: &Sold, meter: &str) -> (i64, i64) {
    let read = |cx: &mut ReadCx<'_>, license: &_| -> Result<_, StoreError> {
        let tenant = cx.caller.tenant;
        let counted = totals(cx.tx, tenant, *license)?;
        Ok((counted, disputed(cx.tx, tenant, *license)?))
    };
    let (counted, disputed) = test
        .app
        .read(&test.system(), sold.license, read)
        .await
        .expect("totals");
    let of = |units: &std::collections::BTreeMap<String, i64>| units.get(meter).copied();
    (of(&counted).unwrap_or(0), of(&disputed).unwrap_or(0))
}

async fn troubles(test: &TestApp, sold: &Sold) -> Trouble {
    let query = TroubleOf {
        product: sold.product,
    };
    let found = test.app.read(&sold.seller, query, trouble).await;
    found.expect("the seller sees it")
}

#[tokio::test]
async fn a_customer_exports_what_the_server_accepted_and_it_holds() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut one = Device::activated(test, 1, sold.license).await;
        let mut two = Device::activated(test, 2, sold.license).await;
        // More than a page of segments.
        for calls in 1..=300 {
            report(test, &one.seal(test, calls, 0))
                .await
                .expect("taken");
        }
        let mut twin = two.clone();
        report(test, &two.seal(test, 7, 1)).await.expect("taken");
        let fork = report(test, &twin.seal(test, 9, 9)).await.expect("kept");
        assert_eq!(fork.outcome, Outcome::Fork);

        let bytes = exported(test, &sold).await.expect("the owner's");
        let report = judged(&sold, &bytes);
        assert!(report.holds(), "{:?}", report.findings);
        assert_eq!(report.source, Some(Source::Server));
        assert_eq!((report.counts.segments, report.receipts), (301, 301));
        assert_eq!((report.counts.devices, report.forks.len()), (2, 1));
        let calls = &report.totals[0];
        assert_eq!((calls.units, calls.acknowledged), (307, 307));
        assert_eq!(counted(test, &sold, "calls").await, (307, 0));

        let mut tampered = bytes.clone();
        let middle = tampered.len() / 2;
        tampered[middle] ^= 1;
        assert!(!judged(&sold, &tampered).holds(), "or nothing was checked");

        let stranger = Sold {
            customer: crate::metered::person(
                test,
                mintreu::id::AccountId::from_bytes([9; 16]),
                mintreu_server::caller::Role::Customer,
            ),
            ..sold
        };
        let refused = exported(test, &stranger).await;
        assert!(
            matches!(refused, Err(MeteringError::NotFound)),
            "{refused:?}"
        );
    })
    .await;
}

async fn billed(test: &TestApp, sold: &Sold) -> InvoiceId {
    let command = BillNow {
        license: sold.license,
    };
    let outcome = test.app.transact(&sold.customer, command, bill_now).await;
    match outcome.expect("bills") {
        Billed::Invoiced(invoice) => invoice.id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_billed_line_leads_to_the_segments_that_add_up_to_it() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        for (calls, renders) in [(3, 0), (3, 5), (10, 6)] {
            let sealed = device.seal(test, calls, renders);
            report(test, &sealed).await.expect("taken");
            report(test, &sealed).await.expect("taken before");
        }
        let invoice = billed(test, &sold).await;
        report(test, &device.seal(test, 12, 6))
            .await
            .expect("later");
        let behind = async |meter: &str| {
            let query = BehindInvoice {
                invoice,
                meter: meter.to_owned(),
            };
            let found = test.app.read(&sold.customer, query, behind_invoice).await;
            found.expect("the owner's")
        };
        let calls = behind("calls").await;
        let units: Vec<_> = calls
            .sources
            .iter()
            .map(|one| (one.seq, one.units))
            .collect();
        assert_eq!(units, [(1, 3), (3, 7)], "what added nothing isn't there");
        assert_eq!(
            (calls.units, calls.from_segments, calls.otherwise()),
            (10, 10, 0)
        );
        let renders = behind("renders").await;
        assert_eq!((renders.units, renders.segments), (6, 2));

        let running = BehindPeriod {
            license: sold.license,
            meter: "calls".to_owned(),
        };
        let running = test.app.read(&sold.customer, running, behind_period).await;
        assert_eq!(running.expect("the owner's").units, 12);
        let query = BehindInvoice {
            invoice,
            meter: "calls".to_owned(),
        };
        let guest = test.app.read(&test.guest(), query, behind_invoice).await;
        assert!(matches!(guest, Err(MeteringError::NotFound)), "{guest:?}");

        // The next period begins where this one ended.
        test.clock.advance(32 * DAY_MS);
        test.drain().await;
        report(test, &device.seal(test, 20, 6))
            .await
            .expect("taken");
        let next = billed(test, &sold).await;
        let query = BehindInvoice {
            invoice: next,
            meter: "calls".to_owned(),
        };
        let found = test.app.read(&sold.customer, query, behind_invoice).await;
        let found = found.expect("the owner's");
        assert_eq!((found.units, found.from_segments), (8, 8));
    })
    .await;
}

/// A copy of a device that learned of the other's report, and says what it had counted.
async fn forked(test: &TestApp, sold: &Sold, units: u64) -> StreamId {
    let mut original = Device::activated(test, 1, sold.license).await;
    let mut copy = original.clone();
    report(test, &original.seal(test, 100, 0))
        .await
        .expect("taken");
    let answer = report(test, &copy.seal(test, units, 0))
        .await
        .expect("kept");
    assert_eq!(answer.outcome, Outcome::Fork);
    let opening = Opening {
        reason: OpeningReason::Forked,
        closed_epoch: 1,
        closed: vec![ClosedTotal {
            key: CellKey::new("calls").expect("a key"),
            acknowledged: 0,
            counted: units,
        }],
    };
    (copy.epoch, copy.seq, copy.head) = (2, 0, mintreu::meter::GENESIS);
    let sealed = copy.seal_opening(test, 1, 0, Some(opening));
    report(test, &sealed).await.expect("a new epoch");
    stream_id(copy.key.public(), sold.license)
}

#[tokio::test]
async fn disputed_units_wait_for_their_seller_and_are_decided_once() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let stream = forked(test, &sold, 40).await;
        assert_eq!(counted(test, &sold, "calls").await, (101, 40));
        let found = troubles(test, &sold).await;
        assert_eq!((found.disputes.len(), found.forks.len()), (1, 1));
        assert_eq!((found.disputes[0].units, found.quiet.len()), (40, 0));
        let decide = async |who: &mintreu_server::caller::Caller, accept| {
            let command = DecideDispute {
                of: DisputesOf { stream, epoch: 2 },
                accept,
                reason: "the customer says so".to_owned(),
            };
            test.app.transact(who, command, decide_dispute).await
        };
        assert!(decide(&sold.customer, true).await.is_err(), "not theirs");
        let decided = decide(&sold.seller, true).await.expect("decides");
        assert_eq!(decided[0].state, "accepted");
        assert_eq!(counted(test, &sold, "calls").await, (141, 0));
        let again = decide(&sold.seller, false).await;
        assert!(matches!(again, Err(MeteringError::Decided)), "{again:?}");
        assert_eq!(counted(test, &sold, "calls").await, (141, 0));
        let query = BehindPeriod {
            license: sold.license,
            meter: "calls".to_owned(),
        };
        let behind = test.app.read(&sold.customer, query, behind_period).await;
        assert_eq!(
            behind.expect("the owner's").units,
            141,
            "and it is shown why"
        );

        test.clock.advance(8 * DAY_MS);
        assert_eq!(troubles(test, &sold).await.quiet.len(), 1, "no heartbeat");
    })
    .await;
}

#[tokio::test]
async fn written_off_units_are_never_billed() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let stream = forked(test, &sold, 40).await;
        let command = DecideDispute {
            of: DisputesOf { stream, epoch: 2 },
            accept: false,
            reason: String::new(),
        };
        let decided = test
            .app
            .transact(&sold.seller, command, decide_dispute)
            .await;
        assert_eq!(decided.expect("decides")[0].state, "written_off");
        assert_eq!(counted(test, &sold, "calls").await, (101, 0));
    })
    .await;
}

#[tokio::test]
async fn a_receipt_for_more_than_is_known_proves_a_restore_once() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let stream = stream_id(device.key.public(), sold.license);
        let first = report(test, &device.seal(test, 1, 0)).await.expect("taken");
        let show = async |receipt: &[u8]| {
            let command = ProveRestore::new(stream, receipt.to_vec());
            test.app
                .transact(&test.guest(), command, prove_restore)
                .await
        };
        assert_eq!(show(&first.receipt).await.expect("ours"), (false, 1));
        assert!(show(b"rubbish").await.is_err());
        let house = test.system();
        let raised = test.app.transact(&house, NoticeRestore, notice_restore);
        assert_eq!(raised.await.expect("raised"), 2);
        let second = report(test, &device.seal(test, 2, 0)).await.expect("taken");
        let bytes = exported(test, &sold).await.expect("the owner's");
        assert_eq!(judged(&sold, &bytes).server_epoch, 2);
        assert_eq!(show(&second.receipt).await.expect("ours"), (false, 2));
        assert_eq!(troubles(test, &sold).await.server_epoch, 2);
    })
    .await;
}

/// Sends what a server says it needs, as an engine does: from the number after its watermark.
async fn catch_up(test: &TestApp, sealed: &[Vec<u8>]) -> usize {
    let mut next = sealed.len() - 1;
    let mut sent = 0;
    while let Some(segment) = sealed.get(next) {
        sent += 1;
        let answer = report(test, segment).await.expect("a receipt");
        next = match answer.outcome {
            Outcome::Gap { need_from_seq, .. } => need_from_seq as usize - 1,
            Outcome::Counted | Outcome::CountedBefore => next + 1,
            Outcome::Fork => panic!("the chain is whole"),
        };
    }
    sent
}

#[tokio::test]
async fn a_server_put_back_from_a_backup_loses_and_doubles_nothing() {
    let test = TestApp::sqlite().await;
    let sold = sold(&test, TARIFFS).await;
    let mut device = Device::activated(&test, 1, sold.license).await;
    let mut sealed = Vec::new();
    let mut receipts = Vec::new();
    for calls in [5, 9] {
        sealed.push(device.seal(&test, calls, 0));
        let answer = report(&test, &sealed[sealed.len() - 1]).await;
        receipts.push(answer.expect("taken").receipt);
    }
    let backup = test.backup();
    for calls in [20, 33, 41] {
        sealed.push(device.seal(&test, calls, 0));
        let answer = report(&test, &sealed[sealed.len() - 1]).await;
        receipts.push(answer.expect("taken").receipt);
    }
    assert_eq!(counted(&test, &sold, "calls").await, (41, 0));
    test.finish().await;

    // The negative control: a device that only ever sends what is new stays short.
    let forgetful = TestApp::restored(&backup).await;
    assert_eq!(counted(&forgetful, &sold, "calls").await, (9, 0));
    let newest = device.clone().seal(&forgetful, 50, 0);
    let answer = report(&forgetful, &newest).await.expect("a receipt");
    assert!(matches!(
        answer.outcome,
        Outcome::Gap {
            need_from_seq: 3,
            ..
        }
    ));
    assert_eq!(
        counted(&forgetful, &sold, "calls").await,
        (9, 0),
        "short by 41"
    );
    forgetful.finish().await;

    let restored = TestApp::restored(&backup).await;
    let stream = stream_id(device.key.public(), sold.license);
    let show = async |receipt: &[u8]| {
        let command = ProveRestore::new(stream, receipt.to_vec());
        let guest = restored.guest();
        let shown = restored.app.transact(&guest, command, prove_restore);
        shown.await.expect("our own receipt")
    };
    assert_eq!(
        show(&receipts[1]).await,
        (false, 1),
        "that is in the backup"
    );
    assert_eq!(show(&receipts[4]).await, (true, 2));
    assert_eq!(
        show(&receipts[3]).await,
        (false, 2),
        "one restore, told once"
    );
    assert_eq!(troubles(&restored, &sold).await.server_epoch, 2);
    sealed.push(device.seal(&restored, 50, 0));
    assert_eq!(
        catch_up(&restored, &sealed).await,
        5,
        "one that was early, four that lacked"
    );
    assert_eq!(
        catch_up(&restored, &sealed[..4]).await,
        1,
        "again, for nothing"
    );
    assert_eq!(counted(&restored, &sold, "calls").await, (50, 0));
    let report = judged(
        &sold,
        &exported(&restored, &sold).await.expect("the owner's"),
    );
    assert!(report.holds(), "{:?}", report.findings);
    assert_eq!((report.server_epoch, report.totals[0].units), (2, 50));
    restored.finish().await;
}

#[tokio::test]
async fn many_segments_travel_in_few_requests_and_count_once() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        // Sixty days offline, a segment every six hours.
        let sealed: Vec<Vec<u8>> = (1..=240).map(|n| device.seal(test, n * 10, n)).collect();
        let server = test.serve().await;
        let carrier = server.browser();
        let send = async |body: Vec<u8>| {
            let request = carrier
                .request(reqwest::Method::POST, "/v1/usage/segments")
                .header("content-type", "application/cbor-seq");
            let answer = request.body(body).send().await.expect("an answer");
            let status = answer.status().as_u16();
            (status, answer.bytes().await.expect("a body").to_vec())
        };
        let mut requests = 0_usize;
        for batch in sealed.chunks(mintreu::meter::MAX_BATCH) {
            for _ in 0..2 {
                requests += 1;
                let (status, receipt) = send(batch.concat()).await;
                assert_eq!(status, 200);
                let opened = mintreu::license::open_bundle(
                    mintreu::document::Kind::Receipt,
                    &receipt,
                    &sold.trust,
                );
                let claims = opened.expect("signed").claims().to_vec();
                let said = mintreu::meter::Receipt::from_claims(&claims).expect("a receipt");
                let sent = sealed
                    .len()
                    .min(requests.div_ceil(2) * mintreu::meter::MAX_BATCH);
                assert_eq!(said.position.seq as usize, sent);
            }
        }
        assert_eq!(requests, 8, "each of four sent twice");
        assert_eq!(counted(test, &sold, "calls").await, (2400, 0));
        let (status, _) = send([&sealed[0][..], &[0x58]].concat()).await;
        assert_eq!(status, 422, "a request that was cut");
        let (status, _) = send(sealed[..65].concat()).await;
        assert_eq!(status, 422, "one too many");
        // The first that doesn't fit ends it, and what fit before it stands.
        let next = device.seal(test, 2500, 240);
        let skipped = device.seal(test, 2600, 240);
        let last = device.seal(test, 2700, 240);
        let (status, _) = send([&next[..], &last[..]].concat()).await;
        assert_eq!(status, 409, "a gap");
        assert_eq!(counted(test, &sold, "calls").await, (2500, 0));
        let (status, _) = send([&skipped[..], &last[..]].concat()).await;
        assert_eq!(status, 200);
        assert_eq!(counted(test, &sold, "calls").await, (2700, 0));
        server.stop().await;
    })
    .await;
}
