//! The host's page and its figures, for the people who look after it.

use super::host::{Host, Standing, device_name};
use super::store::Seat;
use askama::Template;
use mintreu::Timestamp;
use serde_json::{Value, json};

#[derive(Template)]
#[template(path = "floating.html")]
struct Page<'a> {
    product: &'a str,
    license: String,
    state: (&'static str, &'static str),
    seats: u32,
    taken: usize,
    refusal: Option<&'a str>,
    suspect: bool,
    until: String,
    rows: Vec<PageRow>,
}

struct PageRow {
    seat: u32,
    device: String,
    since: String,
    until: String,
    borrowed: bool,
}

/// As people read it, to the minute, in UTC.
fn instant(secs: i64) -> String {
    let at = jiff::Timestamp::from_second(secs);
    at.map_or_else(
        |_| secs.to_string(),
        |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// The page as HTML.
pub fn html(host: &Host, standing: &Standing) -> Result<String, askama::Error> {
    let claims = host.delegation().license().claims();
    let state = match (&standing.refusal, standing.suspect) {
        (Some(_), _) => ("bad", "Stopped"),
        (None, true) => ("wait", "Clock in doubt"),
        (None, false) => ("good", "Lending"),
    };
    let row = |seat: &Seat| PageRow {
        seat: seat.number,
        device: device_name(&seat.device),
        since: instant(seat.taken_at),
        until: instant(seat.ends_at),
        borrowed: seat.borrowed,
    };
    let page = Page {
        product: &claims.product,
        license: claims.id.to_string(),
        state,
        seats: standing.seats,
        taken: standing.taken.len(),
        refusal: standing.refusal.as_ref().map(mintreu::Error::detail),
        suspect: standing.suspect,
        until: instant(host.delegation().signs_until().secs()),
        rows: standing.taken.iter().map(row).collect(),
    };
    page.render()
}

/// The same as JSON; instants are milliseconds since 1970 (UTC).
pub fn status(host: &Host, standing: &Standing) -> Value {
    let claims = host.delegation().license().claims();
    let device = |seat: &Seat| {
        json!({
            "device": device_name(&seat.device),
            "seat": seat.number,
            "activation_id": seat.activation.to_string(),
            "taken_at": seat.taken_at.saturating_mul(1000),
            "ends_at": seat.ends_at.saturating_mul(1000),
            "borrowed": seat.borrowed,
        })
    };
    json!({
        "license_id": claims.id.to_string(),
        "product": claims.product,
        "host_key": host.key().to_string(),
        "now": standing.now.ms(),
        "clock": if standing.suspect { "suspect" } else { "sound" },
        "refusal": standing.refusal.as_ref().map(mintreu::Error::code),
        "license_ends_at": claims.expires_at.map(Timestamp::ms),
        "certificate_ends_at": host.delegation().signs_until().ms(),
        "seats": standing.seats,
        "seats_taken": standing.taken.len(),
        "seats_free": free(standing),
        "seats_borrowed": borrowed(standing),
        "devices": standing.taken.iter().map(device).collect::<Vec<_>>(),
    })
}

fn free(standing: &Standing) -> u32 {
    let taken = u32::try_from(standing.taken.len()).unwrap_or(u32::MAX);
    standing.seats.saturating_sub(taken)
}

fn borrowed(standing: &Standing) -> usize {
    standing.taken.iter().filter(|seat| seat.borrowed).count()
}

/// The figures in the text format that Prometheus reads.
pub fn metrics(standing: &Standing) -> String {
    let figures = [
        ("seats", u64::from(standing.seats)),
        ("seats_taken", standing.taken.len() as u64),
        ("seats_borrowed", borrowed(standing) as u64),
        ("clock_suspect", u64::from(standing.suspect)),
        ("stopped", u64::from(standing.refusal.is_some())),
    ];
    let line = |(name, figure)| {
        format!("# TYPE mintreu_floating_{name} gauge\nmintreu_floating_{name} {figure}\n")
    };
    figures.into_iter().map(line).collect()
}
