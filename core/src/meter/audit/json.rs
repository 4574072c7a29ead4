//! The report as JSON: one shape for the command line, the browser and the server.

use super::report::{AuditReport, AuditedCell, AuditedEpoch, Finding, ForkSeen};
use crate::document::PublicKey;
use crate::meter::OpeningReason;
use crate::meter::export::Source;
use std::fmt::Write as _;

impl AuditReport {
    /// The report as one JSON object, without line breaks. Units are whole numbers of up to 63
    /// bits, which some readers of JSON hold exactly only as text; so they are texts.
    pub fn to_json(&self) -> String {
        let source = self.source.map(|source| match source {
            Source::Device => "device",
            Source::Server => "server",
        });
        let mut json = Object::new();
        json.raw("ok", &self.holds().to_string());
        json.raw("source", &optional(source));
        json.raw("vouched_for", &self.trusted.to_string());
        json.number("segments", self.counts.segments);
        json.number("receipts", self.receipts);
        json.number("server_epoch", self.server_epoch);
        let devices = self.devices.iter().map(|device| {
            let mut json = Object::new();
            let key = PublicKey::from_bytes(&device.key);
            json.text(
                "key",
                &key.map_or_else(|_| hex(&device.key), |key| key.to_string()),
            );
            json.raw("vouched_for", &device.vouched.to_string());
            let license = device.license.map(|license| license.to_string());
            json.raw("license", &optional(license.as_deref()));
            json.end()
        });
        json.raw("devices", &list(devices));
        json.raw("totals", &list(self.totals.iter().map(cell)));
        json.raw("epochs", &list(self.epochs.iter().map(epoch)));
        json.number("fork_count", self.counts.forks);
        json.raw("forks", &list(self.forks.iter().map(fork)));
        json.number("found", self.found);
        json.raw("findings", &list(self.findings.iter().map(finding)));
        json.end()
    }
}

fn cell(cell: &AuditedCell) -> String {
    let mut json = Object::new();
    json.text("meter", cell.key.meter());
    json.text("subject", cell.key.subject_id());
    let mut dimensions = Object::new();
    for (name, value) in cell.key.dimensions() {
        dimensions.text(name, value);
    }
    json.raw("dimensions", &dimensions.end());
    json.text("units", &cell.units.to_string());
    json.text("acknowledged", &cell.acknowledged.to_string());
    json.text("disputed", &cell.disputed.to_string());
    json.end()
}

fn epoch(epoch: &AuditedEpoch) -> String {
    let mut json = Object::new();
    json.number("device", epoch.device as u64 + 1);
    json.text("stream", &epoch.stream.to_string());
    json.text("license", &epoch.license.to_string());
    json.text("product", &epoch.product);
    json.number("epoch", epoch.epoch);
    json.number("from_seq", epoch.from_seq);
    json.number("to_seq", epoch.to_seq);
    json.number("acknowledged", epoch.acknowledged);
    json.text("head", &hex(&epoch.head));
    json.raw("first_sealed_ms", &epoch.sealed.0.ms().to_string());
    json.raw("last_sealed_ms", &epoch.sealed.1.ms().to_string());
    let [unknown, plausible, suspect] = epoch.quality;
    let mut quality = Object::new();
    quality.number("unknown", unknown);
    quality.number("plausible", plausible);
    quality.number("suspect", suspect);
    json.raw("time_quality", &quality.end());
    json.number("heartbeats", epoch.heartbeats);
    json.number("folded", epoch.folded);
    json.number("events", epoch.events.0);
    json.number("disputed_events", epoch.events.1);
    let mut incidents = Object::new();
    for (kind, times) in &epoch.incidents {
        incidents.number(kind.name(), *times);
    }
    json.raw("incidents", &incidents.end());
    let opening = epoch.opening.map(|reason| match reason {
        OpeningReason::Recovered => "recovered",
        OpeningReason::Forked => "forked",
    });
    json.raw("opening", &optional(opening));
    let pair = |(from, to): &(u64, u64)| format!("[{from},{to}]");
    json.raw("gaps", &list(epoch.gaps.iter().map(pair)));
    let mark = |mark: &super::Mark| format!("[{},{}]", mark.seq, mark.at.ms());
    json.raw("marks", &list(epoch.marks.iter().map(mark)));
    json.raw("totals", &list(epoch.totals.iter().map(cell)));
    json.end()
}

fn fork(fork: &ForkSeen) -> String {
    let mut json = Object::new();
    json.number("device", fork.device as u64 + 1);
    json.text("stream", &fork.stream.to_string());
    json.number("epoch", fork.epoch);
    json.number("seq", fork.seq);
    json.text("hash", &hex(&fork.hash));
    json.raw("received_ms", &fork.received_at.ms().to_string());
    json.end()
}

fn finding(finding: &Finding) -> String {
    let mut json = Object::new();
    json.text("code", finding.code);
    json.text("detail", &finding.detail);
    json.text("text", &finding.to_string());
    json.number("device", finding.device);
    json.number("segment", finding.segment);
    let number = |value: Option<u64>| value.map_or_else(|| "null".to_owned(), |v| v.to_string());
    json.raw("epoch", &number(finding.place.map(|place| place.0)));
    json.raw("seq", &number(finding.place.map(|place| place.1)));
    json.end()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), quoted)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Writing to a String cannot fail.
            c if c < ' ' => write!(quoted, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A JSON object that is written field by field.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn raw(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(json);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.raw(name, &quoted(text));
    }

    fn number(&mut self, name: &str, number: u64) {
        self.raw(name, &number.to_string());
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
