//! Checking exported usage: in the visitor's own browser, or on this server where that can't be.
//!
//! The module that judges is the engine's own, compiled in; a visitor's file never leaves their
//! machine. Without scripts, or in a server that was built without the module, the file is sent
//! here, judged as it comes and kept nowhere, and the page says so.

use super::ask::{Answer, Ask, html};
use super::assets;
use super::page::{Page, Section};
use super::parts::{Field, Tone};
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::headers::CONTENT_SECURITY_POLICY;
use askama::Template;
use axum::extract::Multipart;
use axum::extract::multipart::MultipartError;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use mintreu::document::PublicKey;
use mintreu::license::Trust;
use mintreu::meter::{Audit, AuditReport, AuditedCell, AuditedEpoch};

/// Files of one visitor that are judged here: each costs the server a signature a segment.
const JUDGED: Rate = Rate {
    burst: 10,
    refill_ms: 10_000,
};
/// The longest text of what is trusted.
const MAX_TRUST: usize = 4096;

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage {
    page: Page,
    /// Where the module is; empty in a server without it.
    module: String,
    words: String,
    trust: Field,
    verdict: Option<Verdict>,
}

struct Verdict {
    holds: bool,
    text: String,
    findings: Vec<String>,
    totals: Vec<[String; 5]>,
    epochs: Vec<[String; 4]>,
}

/// `GET /verify-usage`.
pub async fn show(ask: Ask) -> Answer {
    answer(&ask, "", None, None)
}

/// `POST /verify-usage`.
pub async fn upload(ask: Ask, form: Multipart) -> Answer {
    let who = ask.visitor.client_key();
    let taken = ask
        .app
        .limits
        .take("verify_usage", &who, JUDGED, ask.app.now());
    taken.map_err(|wait| {
        let detail = format!("Too many files; try again in {wait} s, or use the command line.");
        Problem::new(429, "too_many_requests", detail).after(wait)
    })?;
    let sent = read(form).await?;
    let trust = match trust_of(sent.trust.trim()) {
        Ok(trust) => trust,
        Err(_) => return answer(&ask, &sent.trust, Some("usage-check-trust-wrong"), None),
    };
    let judge = move || {
        let mut audit = Audit::new(trust);
        audit.feed(&sent.file);
        (audit.finish(), sent.trust)
    };
    // A signature a segment is long for a thread that others wait for.
    let judged = tokio::task::spawn_blocking(judge).await;
    let (report, trust) = judged.map_err(|_| Problem::internal())?;
    answer(&ask, &trust, None, Some(&report))
}

fn answer(ask: &Ask, trust: &str, error: Option<&str>, report: Option<&AuditReport>) -> Answer {
    let mut page = ask.section_page("usage-check-usage-title", Section::Usage);
    if report.is_some() {
        page.tell(Tone::Info, page.say("usage-check-was-here"));
    }
    let mut field = Field::text("trust", page.say("usage-check-trust"))
        .hint(page.say("usage-check-trust-hint"))
        .value(trust);
    if let Some(key) = error {
        let text = page.words.say(key);
        field = field.error(Some(text));
    }
    let view = VerifyPage {
        module: assets::address("verify.wasm"),
        words: words(&page),
        trust: field,
        verdict: report.map(|report| verdict(&page, report)),
        page,
    };
    let mut response = html(&view)?;
    allow_module(&mut response);
    Ok(response)
}

/// This one page may compile a module that came from here; nothing else is let in by it.
fn allow_module(response: &mut Response) {
    let policy = CONTENT_SECURITY_POLICY
        .replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'");
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

#[derive(Default)]
struct Sent {
    trust: String,
    file: Vec<u8>,
}

async fn read(mut form: Multipart) -> Result<Sent, Problem> {
    let unreadable = |error: MultipartError| {
        let status = error.status().as_u16();
        let detail = format!(
            "The form can't be read: {error}. Larger files can be verified by the \
             command line, or in a browser with scripts."
        );
        Problem::new(status, "form_malformed", detail)
    };
    let mut sent = Sent::default();
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(unreadable)?;
        match name.as_str() {
            "trust" => {
                let short = &bytes[..bytes.len().min(MAX_TRUST)];
                sent.trust = String::from_utf8_lossy(short).into_owned();
            }
            "file" => sent.file = bytes.to_vec(),
            _ => {}
        }
    }
    Ok(sent)
}

fn trust_of(text: &str) -> mintreu::Result<Option<Trust>> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with("mt1-trust") {
        return text.parse().map(Some);
    }
    let root: PublicKey = text.parse()?;
    Ok(Some(Trust::for_any_product(root)))
}

/// The sentences that the script says, as JSON; `{n}` stands for a number.
fn words(page: &Page) -> String {
    let words = [
        ("holds", page.say("usage-check-holds")),
        ("fails", page.say("usage-check-fails")),
        ("local", page.say("usage-check-was-local")),
        ("untrusted", page.say("usage-check-untrusted")),
        ("reading", page.say("usage-check-reading")),
        ("unreadable", page.say("usage-check-unreadable")),
        ("findings", page.say("usage-check-findings")),
        ("totals", page.say("usage-check-totals")),
        ("meter", page.say("usage-check-meter")),
        ("subject", page.say("usage-check-subject")),
        ("units", page.say("chart-units")),
        ("acknowledged", page.say("usage-check-acknowledged")),
        ("disputed", page.say("usage-disputed")),
        ("chain", page.say("usage-check-chain")),
        ("epoch", page.say("usage-check-epoch")),
        ("segments", page.say("usage-check-segments")),
        ("gap", page.say("usage-check-gap")),
        ("fork", page.say("usage-check-fork")),
        ("time", page.say("usage-check-time")),
    ];
    let words: serde_json::Map<String, serde_json::Value> = words
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect();
    serde_json::Value::from(words).to_string()
}

fn verdict(page: &Page, report: &AuditReport) -> Verdict {
    let key = if report.holds() {
        "usage-check-holds"
    } else {
        "usage-check-fails"
    };
    let mut text = page.words.say(key);
    if !report.trusted {
        text.push(' ');
        text.push_str(&page.say("usage-check-untrusted"));
    }
    Verdict {
        holds: report.holds(),
        text,
        findings: report.findings.iter().map(ToString::to_string).collect(),
        totals: report.totals.iter().map(|cell| total(page, cell)).collect(),
        epochs: report
            .epochs
            .iter()
            .map(|one| epoch(page, one, report))
            .collect(),
    }
}

fn total(page: &Page, cell: &AuditedCell) -> [String; 5] {
    let mut meter = cell.key.meter().to_owned();
    for (name, value) in cell.key.dimensions() {
        meter.push_str(&format!(" {name}={value}"));
    }
    let number = |units| page.format.number(units);
    [
        meter,
        cell.key.subject_id().to_owned(),
        number(cell.units),
        number(cell.acknowledged),
        number(cell.disputed),
    ]
}

fn epoch(page: &Page, epoch: &AuditedEpoch, report: &AuditReport) -> [String; 4] {
    let gaps: Vec<_> = epoch
        .gaps
        .iter()
        .map(|(from, to)| format!("{}: {from}–{to}", page.say("usage-check-gap")))
        .collect();
    let own =
        |fork: &&mintreu::meter::ForkSeen| (fork.stream, fork.epoch) == (epoch.stream, epoch.epoch);
    let forks = report.forks.iter().filter(own);
    let forks = forks.map(|fork| format!("{}: {}", page.say("usage-check-fork"), fork.seq));
    [
        format!(
            "{} · {} {}",
            epoch.stream,
            page.say("usage-check-epoch"),
            epoch.epoch
        ),
        format!("{}–{}", epoch.from_seq, epoch.to_seq),
        page.format.number(epoch.acknowledged),
        gaps.into_iter().chain(forks).collect::<Vec<_>>().join(", "),
    ]
}
