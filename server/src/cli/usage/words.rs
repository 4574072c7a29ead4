//! The verdict in words.

use std::fmt::Write as _;

use mintreu::document::PublicKey;
use mintreu::meter::{AuditReport, AuditedCell, AuditedEpoch, OpeningReason};

use crate::cli::license::terms::day;

/// What an audit came to, for people.
pub fn verdict(report: &AuditReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    write_verdict(&mut text, report).ok();
    text
}

fn write_verdict(text: &mut String, report: &AuditReport) -> std::fmt::Result {
    let counts = report.counts;
    let head = match (report.holds(), report.found) {
        (true, _) => "The usage holds".to_owned(),
        (false, 1) => "The usage does NOT hold: 1 thing is wrong".to_owned(),
        (false, found) => format!("The usage does NOT hold: {found} things are wrong"),
    };
    writeln!(
        text,
        "{head}: {} segments of {} devices, {} of {} receipts fit.",
        counts.segments, counts.devices, report.receipts, counts.receipts
    )?;
    if !report.trusted {
        text.push_str(
            "Who vouches for the devices was not checked, nor any receipt; give --trust for it.\n",
        );
    }
    if report.server_epoch > 1 {
        let times = report.server_epoch - 1;
        writeln!(
            text,
            "The server has been restored from a backup {times} times."
        )?;
    }
    for finding in &report.findings {
        writeln!(text, "  wrong: {finding}")?;
    }
    if report.found > report.findings.len() as u64 {
        let rest = report.found - report.findings.len() as u64;
        writeln!(text, "  and {rest} more")?;
    }
    forks(text, report)?;
    for (index, device) in report.devices.iter().enumerate() {
        let key = PublicKey::from_bytes(&device.key);
        let key = key.map_or_else(|_| "an unusable key".to_owned(), |key| key.to_string());
        let vouched = match (report.trusted, device.vouched) {
            (_, true) => ", vouched for by the seller",
            (true, false) => ", NOT vouched for",
            (false, false) => "",
        };
        writeln!(text, "\nDevice {}: {key}{vouched}", index + 1)?;
        for epoch in report.epochs.iter().filter(|epoch| epoch.device == index) {
            describe(text, epoch)?;
        }
    }
    if !report.totals.is_empty() {
        text.push_str("\nIn all:\n");
        totals(text, &report.totals)?;
    }
    Ok(())
}

fn forks(text: &mut String, report: &AuditReport) -> std::fmt::Result {
    if report.counts.forks > 0 {
        let forks = report.counts.forks;
        writeln!(
            text,
            "{forks} segments are evidence of copied devices and not counted:"
        )?;
    }
    for fork in &report.forks {
        writeln!(
            text,
            "  fork: device {}, epoch {} number {}, received {}",
            fork.device + 1,
            fork.epoch,
            fork.seq,
            day(fork.received_at)
        )?;
    }
    Ok(())
}

fn describe(text: &mut String, epoch: &AuditedEpoch) -> std::fmt::Result {
    let (first, last) = (day(epoch.sealed.0), day(epoch.sealed.1));
    writeln!(
        text,
        "  {} epoch {} of {}: segments {} to {}, sealed {first} to {last}",
        epoch.stream, epoch.epoch, epoch.license, epoch.from_seq, epoch.to_seq
    )?;
    match (epoch.from_seq, epoch.folded) {
        (1, _) => {}
        (_, 0) => text.push_str("    older segments are folded away; a receipt vouches for them\n"),
        (_, to) => writeln!(text, "    a checkpoint stands for the segments up to {to}")?,
    }
    let (events, disputed) = epoch.events;
    if events + disputed > 0 {
        writeln!(text, "    {events} events, {disputed} more in dispute")?;
    }
    for (kind, times) in &epoch.incidents {
        writeln!(
            text,
            "    the device reports {} ({times} times)",
            kind.name()
        )?;
    }
    match epoch.opening {
        Some(OpeningReason::Recovered) => {
            text.push_str("    began because the device lost track of its journal\n");
        }
        Some(OpeningReason::Forked) => {
            text.push_str("    began because another copy of the device had reported\n");
        }
        None => {}
    }
    let waiting = epoch.to_seq.saturating_sub(epoch.acknowledged);
    match (epoch.acknowledged, waiting) {
        (0, _) => text.push_str("    no receipt vouches for any of it here\n"),
        (_, 0) => text.push_str("    acknowledged to the end\n"),
        (to, waiting) => writeln!(
            text,
            "    acknowledged up to {to}; {waiting} segments are not"
        )?,
    }
    for (from, to) in &epoch.gaps {
        writeln!(text, "    missing: {from} to {to}")?;
    }
    let [unknown, plausible, suspect] = epoch.quality;
    writeln!(
        text,
        "    time: {plausible} plausible, {unknown} never compared, {suspect} set back; {} heartbeats",
        epoch.heartbeats
    )?;
    totals(text, &epoch.totals)
}

fn totals(text: &mut String, cells: &[AuditedCell]) -> std::fmt::Result {
    for cell in cells {
        write!(text, "  {:>16}  {}", cell.units, cell.key.meter())?;
        if !cell.key.subject_id().is_empty() {
            write!(text, "  subject {}", cell.key.subject_id())?;
        }
        for (name, value) in cell.key.dimensions() {
            write!(text, "  {name}={value}")?;
        }
        if cell.acknowledged < cell.units {
            let waiting = cell.units - cell.acknowledged;
            write!(text, "  ({waiting} not acknowledged)")?;
        }
        if cell.disputed > 0 {
            write!(text, "  ({} disputed, beside these)", cell.disputed)?;
        }
        text.push('\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintreu::meter::Source;

    #[test]
    fn an_empty_report_is_no_good_news_in_disguise() {
        let report = AuditReport {
            source: Some(Source::Device),
            ..AuditReport::default()
        };
        let text = verdict(&report);
        assert!(text.contains("0 segments of 0 devices"), "{text}");
        assert!(text.contains("not checked"), "{text}");
    }
}
