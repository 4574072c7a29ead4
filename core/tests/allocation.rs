//! What comes in never makes the engine take more memory than its size and the limit of its kind
//! allow: a counting allocator watches hostile inputs go by.
//!
//! One test, since the count is the whole process's.

use mintreu::Timestamp;
use mintreu::activation::{RedeemCode, Request};
use mintreu::document::cbor::{self, Value};
use mintreu::document::{Bundle, Kind, SigningKey, from_text, kind_of, open, seal, to_text};
use mintreu::import::keygen::{Account, Algorithm};
use mintreu::license::{KeySet, Revocations, Ring, Schema, Trust, verify};
use mintreu::meter::{
    Audit, CellKey, Export, ExportWriter, GENESIS, Segment, Source, TimeQuality, Total, chain_hash,
    open_segment_of_any_device, seal_segment, stream_id,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a byte of claims may cost: a list of one-byte items takes 32 bytes an item, its copies
/// beside it.
const FACTOR: usize = 36;
/// What an error and a few small things cost.
const LITTLE: usize = 4 << 10;

/// Bytes that `work` held at its highest, beyond what was there before.
fn peak<T>(work: impl FnOnce() -> T) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    std::hint::black_box(work());
    MEMORY.peak_usage().saturating_sub(before)
}

fn root() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn trust() -> Trust {
    Trust::new("acme.editor", *root().public()).expect("a trust")
}

/// Shows these bytes to everything that reads documents.
fn show(bytes: &[u8]) {
    let (trust, root) = (trust(), root());
    let _ = verify(bytes, &trust);
    let _ = Bundle::from_bytes(bytes);
    let _ = kind_of(bytes);
    let _ = Request::verify(bytes);
    let _ = open_segment_of_any_device(bytes);
    let _ = Revocations::verify(bytes, &trust);
    let _ = Ring::new(trust).install_key_set(bytes);
    for kind in Kind::all() {
        let claims = open(kind, bytes, &[root.public()]);
        let _ = claims.map(|claims| cbor::decode(claims).map(drop));
    }
}

/// An envelope of a kind around any bytes at all, signed by the root.
fn envelope(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let kid = root().public().kid();
    let encode = |value: Value<'_>| cbor::encode(&value).expect("encodes");
    let protected = encode(Value::labelled([
        (1, Some(Value::Int(-19))),
        (4, Some(Value::bytes(&kid))),
        (16, Some(Value::text(kind.media_type()))),
    ]));
    let signature = root().sign(&encode(Value::Array(vec![
        Value::text("Signature1"),
        Value::bytes(&protected),
        Value::bytes(kind.media_type().as_bytes()),
        Value::bytes(payload),
    ])));
    let body = encode(Value::Array(vec![
        Value::bytes(&protected),
        Value::Map(Vec::new()),
        Value::bytes(payload),
        Value::bytes(&signature),
    ]));
    [&[0xd2][..], &body].concat()
}

/// Claims that promise more than they hold, in about `len` bytes.
fn hostile_claims(len: usize) -> Vec<(&'static str, Vec<u8>)> {
    let count = |major: u8, count: usize| {
        let count = u32::try_from(count).expect("small").to_be_bytes();
        [&[major << 5 | 26][..], &count].concat()
    };
    // Each list says that everything behind its head is its items, eight deep.
    let mut nested = Vec::new();
    for depth in 1..=8 {
        nested.extend(count(4, len - 5 * depth));
    }
    nested.resize(len, 0xf6);
    let mut maps = Vec::new();
    for depth in 1..=8 {
        maps.extend(count(5, (len - 6 * depth) / 2));
        maps.push(0x01);
    }
    maps.resize(len, 0x01);
    let items = [count(4, len - 5), vec![0xf6; len - 5]].concat();
    let empty = [count(4, len - 5), vec![0x80; len - 5]].concat();
    let mut deep = vec![0x81; len];
    deep[len - 1] = 0x01;
    let head = |major: u8| [&[major << 5 | 27][..], &(1_u64 << 62).to_be_bytes()].concat();
    let text = [count(3, len - 5), vec![0x61; len - 5]].concat();
    vec![
        ("nested lists that promise everything", nested),
        ("nested maps that promise everything", maps),
        ("as many items as there are bytes", items),
        ("as many lists as there are bytes", empty),
        ("lists in lists", deep),
        ("one text", text),
        ("2^62 bytes", head(2)),
        ("2^62 characters", head(3)),
        ("2^62 items", head(4)),
        ("2^62 entries", head(5)),
    ]
}

fn documents() {
    for kind in Kind::all() {
        let limit = kind.max_bytes();
        for (name, claims) in hostile_claims(limit - 200) {
            let bytes = envelope(kind, &claims);
            let most = peak(|| show(&bytes));
            let name = format!("{}: {name}: {most} bytes", kind.name());
            assert!(most <= FACTOR * limit.max(bytes.len()) + LITTLE, "{name}");
        }
        // Over the limit: refused before anything is taken.
        let bytes = envelope(kind, &vec![0xf6; limit]);
        let most = peak(|| show(&bytes));
        assert!(most <= LITTLE, "{} over its limit: {most}", kind.name());
    }
}

/// Heads of an envelope that promise what isn't there take nothing at all.
fn envelopes() {
    let good = envelope(Kind::License, &[0xa0]);
    for major in [2_u8, 3, 4, 5] {
        for at in [0, 1, 2, 4, good.len() - 66] {
            let mut bytes = good.clone();
            let head = [&[major << 5 | 27][..], &(1_u64 << 62).to_be_bytes()].concat();
            bytes.splice(at..at + 1, head);
            let most = peak(|| show(&bytes));
            assert!(most <= LITTLE, "{major} at {at}: {most}");
        }
    }
    let many = good.repeat(10_000);
    let most = peak(|| show(&many));
    assert!(most <= LITTLE, "ten thousand documents in a row: {most}");
}

/// A small list that inflates to 64 MiB, whatever it declares.
fn inflating() {
    let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 64 << 20], 9);
    for places in [8, 1 << 20] {
        let private = Value::labelled([
            (1, Some(Value::Int(1))),
            (2, Some(Value::Int(1))),
            (3, Some(Value::Int(places))),
            (4, Some(Value::bytes(&bomb))),
        ]);
        let claims = cbor::encode(&Value::labelled([
            (3, Some(Value::text("acme.editor"))),
            (6, Some(Value::Int(1))),
            (-65537, Some(private)),
        ]));
        let claims = claims.expect("encodes");
        let bytes = seal(Kind::Revocations, &claims, &root()).expect("seals");
        let trust = trust();
        let most = peak(|| Revocations::verify(&bytes, &trust).is_err());
        // The bits, once while they grow and once more, and what zlib needs itself.
        assert!(
            most <= 4 * (places as usize / 8) + 3 * bytes.len() + (64 << 10),
            "{most}"
        );
    }
}

/// Key sets in key sets, as deep as they are followed and deeper.
fn key_sets() {
    let mut bytes = KeySet::new(1, Timestamp::from_secs(1))
        .issue(&root())
        .expect("issues");
    for version in 2..40 {
        let mut next = KeySet::new(version, Timestamp::from_secs(1));
        next.licenses = vec![vec![0xf6; 6 << 10]];
        next.previous = Some(bytes);
        bytes = next.issue(&root()).expect("issues");
    }
    let most = peak(|| Ring::new(trust()).install_key_set(&bytes).is_err());
    let limit = Kind::KeySet.max_bytes();
    assert!(bytes.len() > limit * 9 / 10, "{} bytes", bytes.len());
    assert!(most <= 16 * limit, "{most}");
}

fn texts() {
    let large = 2 << 20;
    let license = envelope(Kind::License, &[0xa0]);
    let part = base45::encode(&license);
    let lines = (0..large / 400).map(|at| format!("MT1:{}/99:{part}", at % 99 + 1));
    let texts = [
        format!("MT1-{}", " ".repeat(large - 4)),
        format!("MT1-{}", "A".repeat(large - 4)),
        format!("MT1:{}", "0".repeat(large - 4)),
        format!("MT1:{}", "\n".repeat(large - 4)),
        format!("-----BEGIN MINTREU LICENSE-----{}", "A".repeat(large - 32)),
        format!("-----BEGIN MINTREU {}", "A".repeat(large - 20)),
        format!("\u{2003}{}", "\u{2003}".repeat(large / 3 - 1)),
        lines.collect::<Vec<_>>().join("\n"),
    ];
    for text in texts {
        let most = peak(|| from_text(&text).map(|bytes| show(&bytes)));
        let start: String = text.chars().take(40).collect();
        assert!(
            most <= 6 * large,
            "{start:?} in {} bytes: {most}",
            text.len()
        );
    }
    let over = "MT1-".to_owned() + &"A".repeat(16 << 20);
    for text in [
        &over,
        &over.replace("MT1-", "mt1-trust "),
        &over.replace("MT1-", "mt1-schema "),
    ] {
        let most = peak(|| {
            let _ = (from_text(text), text.parse::<Trust>(), Schema::parse(text));
            let _ = (
                text.parse::<RedeemCode>(),
                text.parse::<mintreu::document::PublicKey>(),
            );
            let account = Account::new(*root().public(), &[Algorithm::Sealed]);
            account.verify(text).is_err()
        });
        assert!(most <= LITTLE, "{most}");
    }
}

/// An export that promises a segment of four gigabytes and has none.
fn exports() {
    let (mut writer, mut good) = ExportWriter::begin(Source::Device);
    good.extend(writer.device(&[1; 32], None));
    let bytes = [&good[..], &[0x82, 0x02, 0x5a, 0xff, 0xff, 0xff, 0xff]].concat();
    let most = peak(|| Export::from_bytes(&bytes).is_err());
    assert!(most <= LITTLE, "{most}");
}

/// Judging a long history takes what judging a short one takes, but for the 32 bytes of each hash
/// that a receipt may still ask for.
fn audits() {
    let device = SigningKey::from_seed(&[7; 32]);
    let license = mintreu::id::LicenseId::from_bytes([1; 16]);
    let (mut writer, mut bytes) = ExportWriter::begin(Source::Device);
    bytes.extend(writer.device(device.public().as_bytes(), None));
    let (mut prev, mut lengths) = (GENESIS, Vec::new());
    for seq in 1..=2_000 {
        let segment = Segment {
            product: "acme.editor".into(),
            device: *device.public(),
            license,
            stream: stream_id(device.public(), license),
            epoch: 1,
            seq,
            prev,
            totals: vec![Total {
                key: CellKey::new("renders").expect("a name"),
                units: seq,
            }],
            sealed_at: Timestamp::from_ms(seq as i64),
            time_quality: TimeQuality::Unknown,
            opening: None,
            events: Vec::new(),
            disputed_events: Vec::new(),
            condition: mintreu::meter::Condition::default(),
        };
        let document = seal_segment(&segment, &device).expect("seals");
        prev = chain_hash(&document);
        bytes.extend(writer.segment(&document));
        lengths.push(bytes.len());
    }
    let judged = |bytes: &[u8]| {
        peak(|| {
            let mut audit = Audit::new(None);
            bytes.chunks(4096).for_each(|piece| audit.feed(piece));
            assert!(audit.segments() > 0);
            audit.finish()
        })
    };
    // From 512 on the picture of an epoch is as large as it gets.
    let (short, long) = (judged(&bytes[..lengths[511]]), judged(&bytes));
    let hashes = 2 * 32 * 2_000;
    // Cells that changed wait for a receipt, each named once.
    assert!(long <= short + hashes + LITTLE, "{short} and {long}");
    assert!(
        bytes.len() > 2 * (short + hashes),
        "or else nothing was shown"
    );
}

/// The negative control: what is taken is seen, and a reader that believes a count takes it.
fn control() {
    assert!(peak(|| vec![1_u8; 1 << 20]) >= 1 << 20);
    let believing = |claims: &[u8]| {
        let count = u32::from_be_bytes([claims[1], claims[2], claims[3], claims[4]]);
        Vec::<Value<'_>>::with_capacity(count as usize)
    };
    let (_, claims) = hostile_claims(1 << 20).swap_remove(0);
    assert!(peak(|| [0; 8].map(|_| believing(&claims))) > (4 * FACTOR) << 20);
    let text = to_text(&envelope(Kind::License, &[0xa0]));
    assert!(from_text(&text).is_ok(), "what is shown is read");
}

#[test]
fn memory_is_bounded_whatever_comes() {
    control();
    envelopes();
    documents();
    inflating();
    key_sets();
    texts();
    exports();
    audits();
}
