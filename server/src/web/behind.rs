//! The segments and receipts that a billed or running number of units is made of.

use super::ask::{Answer, Ask, html};
use super::page::{Page, Section};
use crate::domains::metering::evidence::http::export_response;
use crate::domains::metering::evidence::{
    Behind, BehindInvoice, BehindPeriod, Source, behind_invoice, behind_period,
};
use crate::problem::Problem;
use askama::Template;
use axum::extract::Path;
use mintreu::id::{InvoiceId, LicenseId};

#[derive(Template)]
#[template(path = "behind.html")]
struct BehindPage {
    page: Page,
    facts: Vec<(String, String)>,
    rows: Vec<Row>,
    sum: String,
    /// How many segments aren't listed; empty for none.
    more: String,
    back: String,
    export: String,
}

struct Row {
    name: String,
    received: String,
    units: String,
    segment: String,
}

fn license_id(text: &str) -> Result<LicenseId, Problem> {
    LicenseId::parse(text).map_err(|_| Problem::not_found("There is no such license."))
}

/// `GET /usage/{license}/export`.
pub async fn export(ask: Ask, Path(license): Path<String>) -> Answer {
    ask.account()?;
    let license = license_id(&license)?;
    Ok(export_response(ask.app.clone(), &ask.visitor, license).await?)
}

/// `GET /usage/{license}/sources/{meter}`.
pub async fn period(ask: Ask, Path((license, meter)): Path<(String, String)>) -> Answer {
    ask.account()?;
    let license = license_id(&license)?;
    let query = BehindPeriod { license, meter };
    let caller = &ask.visitor.caller;
    let behind = ask.app.read(caller, query, behind_period).await?;
    let back = format!("/usage?license={license}");
    html(&BehindPage::new(&ask, &behind, back))
}

/// `GET /invoices/{id}/usage/{meter}`.
pub async fn invoice(ask: Ask, Path((id, meter)): Path<(String, String)>) -> Answer {
    ask.account()?;
    let missing = || Problem::not_found("There is no such invoice.");
    let invoice = InvoiceId::parse(&id).map_err(|_| missing())?;
    let query = BehindInvoice { invoice, meter };
    let caller = &ask.visitor.caller;
    let behind = ask.app.read(caller, query, behind_invoice).await?;
    html(&BehindPage::new(
        &ask,
        &behind,
        format!("/invoices/{invoice}"),
    ))
}

impl BehindPage {
    fn new(ask: &Ask, behind: &Behind, back: String) -> Self {
        let mut page = ask.section_page("behind-title", Section::Usage);
        page.title = page.say_one("behind-heading", "meter", behind.meter.as_str());
        let mut facts = vec![
            (page.say("behind-units"), page.format.signed(behind.units)),
            (
                page.say("behind-from-segments"),
                page.format.signed(behind.from_segments),
            ),
        ];
        if behind.otherwise() != 0 {
            let units = page.format.signed(behind.otherwise());
            facts.push((page.say("behind-otherwise"), units));
        }
        facts.push((page.say("invoice-license"), behind.license.to_string()));
        let hidden = behind.segments - behind.sources.len() as i64;
        let more = match hidden {
            1.. => page.say_one("behind-more", "count", page.format.signed(hidden)),
            _ => String::new(),
        };
        Self {
            facts,
            rows: behind.sources.iter().map(|one| row(&page, one)).collect(),
            sum: page.format.signed(behind.from_segments),
            more,
            back,
            export: format!("/usage/{}/export", behind.license),
            page,
        }
    }
}

fn row(page: &Page, source: &Source) -> Row {
    let Source {
        stream, epoch, seq, ..
    } = source;
    let disputed = match source.kind.as_str() {
        "dispute" => format!(" ({})", page.say("behind-dispute")),
        _ => String::new(),
    };
    Row {
        name: format!("{stream} {epoch}/{seq}{disputed}"),
        received: page.format.instant(source.received_at),
        units: page.format.signed(source.units),
        segment: format!("/v1/usage/streams/{stream}/segments/{epoch}/{seq}"),
    }
}
