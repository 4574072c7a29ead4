use super::*;
use crate::document::SigningKey;
use crate::id::LicenseId;
use crate::meter::{
    CellKey, ClosedTotal, ExportWriter, GENESIS, Opening, OpeningReason, Position, Source,
    TimeQuality, Total, seal_segment, stream_id,
};

const START: i64 = 1_800_000_000_000;

fn root() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn device() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

fn license() -> LicenseId {
    LicenseId::from_bytes([3; 16])
}

struct Chain {
    epoch: u64,
    seq: u64,
    prev: ChainHash,
    segments: Vec<Vec<u8>>,
}

use crate::meter::ChainHash;

impl Chain {
    fn new() -> Self {
        Self {
            epoch: 1,
            seq: 0,
            prev: GENESIS,
            segments: Vec::new(),
        }
    }

    fn seal(&mut self, totals: &[(&str, u64)], opening: Option<Opening>) -> Vec<u8> {
        if opening.is_some() {
            (self.epoch, self.seq, self.prev) = (self.epoch + 1, 0, GENESIS);
        }
        self.seq += 1;
        let total = |(meter, units): &(&str, u64)| Total {
            key: CellKey::new(*meter).unwrap(),
            units: *units,
        };
        let segment = Segment {
            product: "acme.editor".into(),
            device: *device().public(),
            license: license(),
            stream: stream_id(device().public(), license()),
            epoch: self.epoch,
            seq: self.seq,
            prev: self.prev,
            totals: totals.iter().map(total).collect(),
            sealed_at: Timestamp::from_ms(START + self.seq as i64 * 1000),
            time_quality: TimeQuality::Plausible,
            opening,
            events: Vec::new(),
            disputed_events: Vec::new(),
            condition: crate::meter::Condition::default(),
        };
        let sealed = seal_segment(&segment, &device()).unwrap();
        self.prev = chain_hash(&sealed);
        self.segments.push(sealed.clone());
        sealed
    }

    fn receipt(&self) -> Vec<u8> {
        let receipt = Receipt {
            product: "acme.editor".into(),
            stream: stream_id(device().public(), license()),
            position: Position {
                epoch: self.epoch,
                seq: self.seq,
                head: self.prev,
            },
            issued_at: Timestamp::from_ms(START),
            server_epoch: 1,
        };
        receipt.seal(&root(), &[]).unwrap()
    }
}

fn activation() -> Vec<u8> {
    let activation = Activation {
        id: crate::id::ActivationId::from_bytes([4; 16]),
        license: license(),
        product: "acme.editor".into(),
        issued_at: Timestamp::from_ms(START),
        expires_at: None,
        device: *device().public(),
        nonce: [5; 16],
        fingerprint: crate::activation::Fingerprint::default(),
        license_bundle: None,
    };
    activation.issue(&root(), &[]).unwrap()
}

enum Item {
    Checkpoint(Vec<u8>),
    Segment(Vec<u8>),
    Receipt(Vec<u8>),
    Fork(Vec<u8>),
}

fn file(items: &[Item]) -> Vec<u8> {
    let (mut writer, mut bytes) = ExportWriter::begin(Source::Server);
    bytes.extend(writer.device(device().public().as_bytes(), Some(&activation())));
    for item in items {
        bytes.extend(match item {
            Item::Checkpoint(document) => writer.checkpoint(document),
            Item::Segment(document) => writer.segment(document),
            Item::Receipt(bundle) => writer.receipt(bundle),
            Item::Fork(document) => writer.fork(document, Timestamp::from_ms(START)),
        });
    }
    bytes.extend(writer.end());
    bytes
}

fn audit(bytes: &[u8]) -> AuditReport {
    let trust = Trust::new("acme.editor", *root().public()).unwrap();
    let mut audit = Audit::new(Some(trust));
    for piece in bytes.chunks(1000) {
        audit.feed(piece);
    }
    audit.finish()
}

fn codes(report: &AuditReport) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_whole_chain_is_summed_and_told_acknowledged_from_not() {
    let mut chain = Chain::new();
    let mut items = vec![Item::Segment(chain.seal(&[("a", 5)], None))];
    items.push(Item::Segment(chain.seal(&[("a", 7), ("b", 1)], None)));
    items.push(Item::Receipt(chain.receipt()));
    items.push(Item::Segment(chain.seal(&[("a", 9)], None)));
    items.push(Item::Segment(chain.seal(&[], None)));
    let report = audit(&file(&items));
    assert_eq!(codes(&report), [] as [&str; 0]);
    let sums: Vec<_> = report
        .totals
        .iter()
        .map(|cell| (cell.key.meter(), cell.units, cell.acknowledged))
        .collect();
    assert_eq!(sums, [("a", 9, 7), ("b", 1, 1)]);
    let epoch = &report.epochs[0];
    assert_eq!(
        (epoch.to_seq, epoch.acknowledged, epoch.heartbeats),
        (4, 2, 1)
    );
    assert_eq!(epoch.quality, [0, 4, 0]);
    assert!(report.devices[0].vouched);
    let json = report.to_json();
    assert!(
        json.starts_with(r#"{"ok":true,"source":"server""#),
        "{json}"
    );
}

#[test]
fn what_was_left_behind_is_owed_or_disputed() {
    let left = |reason, acknowledged, counted| Opening {
        reason,
        closed_epoch: 1,
        closed: vec![ClosedTotal {
            key: CellKey::new("a").unwrap(),
            acknowledged,
            counted,
        }],
    };
    for (reason, units, disputed) in [
        (OpeningReason::Recovered, 30 + 4, 0),
        (OpeningReason::Forked, 20 + 4, 15),
    ] {
        let mut chain = Chain::new();
        let first = Item::Segment(chain.seal(&[("a", 20)], None));
        let again = Item::Segment(chain.seal(&[("a", 4)], Some(left(reason, 15, 30))));
        let report = audit(&file(&[first, again]));
        assert_eq!(codes(&report), [] as [&str; 0]);
        let cell = &report.totals[0];
        assert_eq!((cell.units, cell.disputed), (units, disputed), "{reason:?}");
    }
}

#[test]
fn every_fault_is_named_with_its_place_and_the_rest_is_judged_on() {
    let mut chain = Chain::new();
    let sealed: Vec<_> = (1..=6).map(|n| chain.seal(&[("a", n)], None)).collect();
    let receipt = chain.receipt();
    let of = |keep: &[usize]| -> Vec<Item> {
        let kept = keep.iter().map(|&n| Item::Segment(sealed[n - 1].clone()));
        kept.chain([Item::Receipt(receipt.clone())]).collect()
    };
    let gone = audit(&file(&of(&[1, 2, 5, 6])));
    assert_eq!(codes(&gone), ["usage_gap"]);
    assert_eq!(gone.epochs[0].gaps, [(3, 4)]);
    assert_eq!(gone.findings[0].place, Some((1, 5)));
    assert_eq!(
        codes(&audit(&file(&of(&[1, 2, 2, 3, 4, 5, 6])))),
        ["usage_malformed"]
    );
    assert_eq!(
        codes(&audit(&file(&of(&[1, 2, 3])))),
        ["receipt_mismatch"],
        "the end was cut off"
    );
    let mut flipped = of(&[1, 2, 3, 4, 5, 6]);
    let Item::Segment(bytes) = &mut flipped[2] else {
        panic!("a segment")
    };
    *bytes.last_mut().unwrap() ^= 1;
    let report = audit(&file(&flipped));
    assert_eq!(codes(&report), ["bad_signature", "usage_gap"]);
    assert_eq!(report.findings[0].segment, 3);
    assert_eq!(report.totals[0].units, 6, "the rest is counted");

    let mut other = Chain::new();
    other.seal(&[("a", 1)], None);
    let twin = other.seal(&[("a", 99)], None);
    let mut forked = of(&[1, 2, 3, 4, 5, 6]);
    forked.push(Item::Fork(twin.clone()));
    let report = audit(&file(&forked));
    assert!(report.holds(), "evidence is no fault of the file");
    assert_eq!((report.forks.len(), report.forks[0].seq), (1, 2));
    let mut inside = of(&[1, 2]);
    inside.insert(2, Item::Segment(twin));
    inside.pop();
    assert_eq!(codes(&audit(&file(&inside))), ["usage_fork"]);

    let mut falls = Chain::new();
    let fell = [5, 3].map(|n| Item::Segment(falls.seal(&[("a", n)], None)));
    assert_eq!(codes(&audit(&file(&fell))), ["usage_regressed"]);
}

#[test]
fn a_picture_stays_small() {
    let mut chain = Chain::new();
    let items: Vec<_> = (1..=1000)
        .map(|n| Item::Segment(chain.seal(&[("a", n)], None)))
        .collect();
    let report = audit(&file(&items));
    let marks = &report.epochs[0].marks;
    assert!((100..=256).contains(&marks.len()), "{}", marks.len());
    assert_eq!(marks[0].seq, 1);
}

/// The first `count` segments of a chain, folded.
fn folded(chain: &[Vec<u8>], count: usize) -> Checkpoint {
    let opened = chain[..count].iter().map(|document| {
        let segment = open_segment(document, device().public()).unwrap();
        (segment, chain_hash(document))
    });
    Checkpoint::fold(None, &opened.collect::<Vec<_>>(), Timestamp::from_ms(START)).unwrap()
}

#[test]
fn a_checkpoint_stands_for_what_was_folded() {
    let mut chain = Chain::new();
    chain.seal(&[("a", 5), ("early", 3)], None);
    for n in 6..10 {
        chain.seal(&[("a", n)], None);
    }
    let receipt = || Item::Receipt(chain.receipt());
    let segments = |from: usize| chain.segments[from..].iter().cloned().map(Item::Segment);
    let checkpoint = folded(&chain.segments, 3).seal(&device()).unwrap();
    let whole: Vec<_> = std::iter::once(Item::Checkpoint(checkpoint.clone()))
        .chain(segments(3))
        .chain([receipt()])
        .collect();
    let report = audit(&file(&whole));
    assert_eq!(codes(&report), [] as [&str; 0]);
    let sums: Vec<_> = report
        .totals
        .iter()
        .map(|cell| (cell.key.meter(), cell.units, cell.acknowledged))
        .collect();
    assert_eq!(sums, [("a", 9, 9), ("early", 3, 3)], "also what came early");
    let epoch = &report.epochs[0];
    assert_eq!((epoch.folded, epoch.from_seq, epoch.to_seq), (3, 4, 5));

    let case = |items: Vec<Item>| codes(&audit(&file(&items))).join(" ");
    let first = || Item::Checkpoint(checkpoint.clone());
    let hole = std::iter::once(first()).chain(segments(4));
    assert_eq!(case(hole.chain([receipt()]).collect()), "usage_gap");
    let alone = std::iter::once(first()).chain(segments(3));
    assert_eq!(
        case(alone.collect()),
        "",
        "nothing says that a receipt is due"
    );
    let late = segments(0).chain([first()]);
    assert_eq!(case(late.collect()), "usage_malformed");
    let mut richer = folded(&chain.segments, 3);
    richer.totals[0].units = 100;
    let richer = Item::Checkpoint(richer.seal(&device()).unwrap());
    let fell = std::iter::once(richer).chain(segments(3));
    assert_eq!(case(fell.collect()), "usage_regressed usage_regressed");
    let mut other = folded(&chain.segments, 3);
    other.position.head = [9; 32];
    let other = Item::Checkpoint(other.seal(&device()).unwrap());
    let unlinked = std::iter::once(other).chain(segments(3));
    assert_eq!(case(unlinked.collect()), "usage_fork usage_gap");
    let mut flipped = checkpoint.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(case(vec![Item::Checkpoint(flipped)]), "bad_signature");
}

#[test]
fn events_and_incidents_are_told() {
    use crate::meter::{Condition, Event, Incident, IncidentKind};
    let mut chain = Chain::new();
    let mut segment = open_segment(&chain.seal(&[], None), device().public()).unwrap();
    let event = |id: &str| {
        let key = CellKey::new("jobs").unwrap();
        Event::new(id, key, Timestamp::from_ms(START), 1.into()).unwrap()
    };
    segment.events = vec![event("a"), event("b")];
    segment.disputed_events = vec![event("c")];
    segment.condition = Condition {
        incidents: vec![Incident {
            kind: IncidentKind::DiskFull,
            first: Timestamp::from_ms(START),
            times: 3,
        }],
        ..Condition::default()
    };
    let report = audit(&file(&[Item::Segment(
        seal_segment(&segment, &device()).unwrap(),
    )]));
    let epoch = &report.epochs[0];
    assert_eq!((epoch.events, epoch.heartbeats), ((2, 1), 0));
    assert_eq!(epoch.incidents[&IncidentKind::DiskFull], 3);
    let json = report.to_json();
    assert!(
        json.contains(r#""events":2,"disputed_events":1,"incidents":{"disk_full":3}"#),
        "{json}"
    );
}
