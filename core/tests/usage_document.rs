//! The worked example of `docs/usage-protocol.md` is what the engine really writes.

use mintreu::activation::{UnitsLease, UnitsRequest};
use mintreu::document::SigningKey;
use mintreu::id::{ActivationId, LicenseId};
use mintreu::meter::{
    Audit, CellKey, Condition, Event, ExportWriter, GENESIS, Incident, IncidentKind, Position, Ran,
    Receipt, Segment, Source, TimeQuality, Total, chain_hash, open_segment, seal_segment,
    stream_id,
};
use mintreu::{Result, Timestamp};

const DOCUMENT: &str = include_str!("../../docs/usage-protocol.md");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Passes when the document shows all these bytes, in lines of 32; prints what it lacks.
fn shows(blocks: &[(&str, &[u8])]) {
    let mut missing = String::new();
    for (what, bytes) in blocks {
        let lines: Vec<String> = bytes.chunks(32).map(hex).collect();
        let block = lines.join("\n");
        if !DOCUMENT.contains(&block) {
            missing.push_str(&format!("{what}:\n{block}\n"));
        }
    }
    assert!(
        missing.is_empty(),
        "docs/usage-protocol.md should show the\n{missing}"
    );
}

fn example() -> Result<(SigningKey, Segment)> {
    let device = SigningKey::from_seed(&[0x11; 32]);
    let license = LicenseId::from_bytes([0x22; 16]);
    let calls = CellKey::new("api.calls")?
        .subject("c-1")?
        .dimension("region", "eu")?;
    let segment = Segment {
        product: "acme.editor".into(),
        device: *device.public(),
        license,
        stream: stream_id(device.public(), license),
        epoch: 1,
        seq: 1,
        prev: GENESIS,
        totals: vec![
            Total {
                key: CellKey::new("renders")?,
                units: 7,
            },
            Total {
                key: calls,
                units: 1000,
            },
        ],
        sealed_at: Timestamp::from_ms(1_800_000_000_250),
        time_quality: TimeQuality::Plausible,
        opening: None,
        events: Vec::new(),
        disputed_events: Vec::new(),
        condition: Condition::default(),
    };
    Ok((device, segment))
}

#[test]
fn the_segment_of_the_document_is_what_is_written() -> Result<()> {
    let (device, segment) = example()?;
    let document = seal_segment(&segment, &device)?;
    shows(&[
        ("device's public key", device.public().as_bytes()),
        ("stream", segment.stream.as_bytes()),
        ("segment's claims", &segment.to_claims()?),
        ("segment", &document),
        ("segment's chain hash", &chain_hash(&document)),
    ]);
    assert_eq!(open_segment(&document, device.public())?, segment);
    Ok(())
}

/// The second segment of the same stream: one event, and what the device says of itself.
#[test]
fn the_segment_with_an_event_is_what_is_written() -> Result<()> {
    let (device, mut segment) = example()?;
    segment.prev = chain_hash(&seal_segment(&segment, &device)?);
    segment.seq = 2;
    segment.totals.clear();
    let preset = CellKey::new("render.seconds")?.dimension("preset", "4k")?;
    let at = Timestamp::from_ms(1_800_000_000_100);
    segment.events = vec![Event::new("job-81", preset, at, "12.75".parse()?)?];
    segment.condition = Condition {
        ran: Some(Ran {
            boot: [0x44; 8],
            ms: 3_600_000,
        }),
        incidents: vec![Incident {
            kind: IncidentKind::DiskFull,
            first: at,
            times: 3,
        }],
        compacted: None,
        salt: Some([0x55; 8]),
    };
    let document = seal_segment(&segment, &device)?;
    shows(&[("claims with an event", &segment.to_claims()?)]);
    assert_eq!(open_segment(&document, device.public())?, segment);
    Ok(())
}

#[test]
fn the_receipt_of_the_document_is_what_is_written() -> Result<()> {
    let (device, segment) = example()?;
    let head = chain_hash(&seal_segment(&segment, &device)?);
    let receipt = Receipt {
        product: segment.product,
        stream: segment.stream,
        position: Position {
            epoch: 1,
            seq: 1,
            head,
        },
        issued_at: Timestamp::from_ms(1_800_000_001_500),
        server_epoch: 1,
    };
    shows(&[
        ("receipt's claims", &receipt.to_claims()?),
        (
            "receipt",
            &receipt.seal(&SigningKey::from_seed(&[0x33; 32]), &[])?,
        ),
    ]);
    assert_eq!(Receipt::from_claims(&receipt.to_claims()?)?, receipt);
    Ok(())
}

#[test]
fn the_export_of_the_document_is_what_is_written() -> Result<()> {
    let (device, segment) = example()?;
    let document = seal_segment(&segment, &device)?;
    let receipt = Receipt {
        product: segment.product,
        stream: segment.stream,
        position: Position {
            epoch: 1,
            seq: 1,
            head: chain_hash(&document),
        },
        issued_at: Timestamp::from_ms(1_800_000_001_500),
        server_epoch: 1,
    };
    let seller = SigningKey::from_seed(&[0x33; 32]);
    let bundle = receipt.seal(&seller, &[])?;
    let (mut writer, head) = ExportWriter::begin(Source::Device);
    let device = writer.device(device.public().as_bytes(), None);
    let (segment, receipt) = (writer.segment(&document), writer.receipt(&bundle));
    let end = writer.end();
    shows(&[
        ("export's head", &head),
        ("export's device", &device),
        ("export's end", &end),
    ]);
    for (record, start) in [(&segment, &document), (&receipt, &bundle)] {
        let before = hex(&record[..record.len() - start.len()]);
        assert!(DOCUMENT.contains(&format!("`{before}`")), "{before}");
    }
    let mut audit = Audit::new(None);
    for record in [head, device, segment, receipt, end] {
        audit.feed(&record);
    }
    let report = audit.finish();
    assert!(report.holds());
    assert_eq!(report.totals.len(), 2);
    Ok(())
}

#[test]
fn the_lease_of_units_of_the_document_is_what_is_written() -> Result<()> {
    let device = SigningKey::from_seed(&[0x11; 32]);
    let request = UnitsRequest {
        product: "acme.editor".into(),
        issued_at: Timestamp::from_secs(1_800_000_000),
        nonce: [0x66; 16],
        license: LicenseId::from_bytes([0x22; 16]),
        activation: ActivationId::from_bytes([0x77; 16]),
        meter: "renders".into(),
        last: 1,
        window: 684,
        used: 9,
        closed: false,
        wanted: 10,
    };
    let lease = UnitsLease {
        issued_at: Timestamp::from_secs(1_800_000_001),
        activation: request.activation,
        seconds: 86_400,
        meter: request.meter.clone(),
        number: 2,
        window: 684,
        units: 20,
        beside: 0,
    };
    let asked = request.seal(&device)?;
    let lent = lease.issue(&SigningKey::from_seed(&[0x33; 32]), &[])?;
    shows(&[("request for units", &asked), ("lease of units", &lent)]);
    assert_eq!(UnitsRequest::verify(&asked)?, (*device.public(), request));
    assert!(UnitsLease::resembles(&lent));
    Ok(())
}
