//! The part of a license's page that hands its seats to a host on the customer's own network.

use super::ask::{Answer, Ask, go_to, refused};
use super::license::{license_id, nothing_here};
use super::page::{Page, Section};
use super::parts::Field;
use crate::domains::licensing::{self, DelegateHost, FloatingHost, License, LicensingError};
use crate::problem::{PageProblem, Problem};
use crate::wire::CsrfForm;
use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;
use mintreu::Timestamp;
use mintreu::document::PublicKey;
use serde::Deserialize;

/// What the page shows of hosts.
#[derive(Template)]
#[template(path = "parts/hosts.html")]
pub struct Hosts {
    csrf: String,
    title: String,
    lead: String,
    bound: String,
    rows: Vec<HostRow>,
    action: String,
    fields: Vec<Field>,
    button: String,
    download: String,
}

impl HtmlSafe for Hosts {}

struct HostRow {
    key: String,
    until: String,
    file: String,
}

/// The page alone, when the form was refused.
#[derive(Template)]
#[template(path = "host_refused.html")]
struct RefusedPage {
    page: Page,
    base: String,
    hosts: Hosts,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HostForm {
    host_key: String,
    days: String,
}

impl Hosts {
    /// For the owner of a floating license.
    pub fn of(page: &Page, license: &License, hosts: &[FloatingHost], now: Timestamp) -> Self {
        let form = HostForm {
            days: "90".to_owned(),
            ..HostForm::default()
        };
        let base = format!("/licenses/{}", license.id);
        Self::new(page, &base, &form, None).with(page, &base, hosts, now)
    }

    fn new(page: &Page, base: &str, form: &HostForm, error: Option<String>) -> Self {
        Self {
            csrf: page.csrf.clone(),
            title: page.say("hosts-title"),
            lead: page.say("hosts-lead"),
            bound: page.say("hosts-bound"),
            rows: Vec::new(),
            action: format!("{base}/hosts"),
            fields: vec![
                Field::text("host_key", page.say("hosts-key"))
                    .hint(page.say("hosts-key-hint"))
                    .value(&form.host_key)
                    .error(error)
                    .required()
                    .max_length(64),
                Field::text("days", page.say("hosts-days"))
                    .value(&form.days)
                    .required()
                    .max_length(3),
            ],
            button: page.say("hosts-action"),
            download: page.say("hosts-download"),
        }
    }

    fn with(mut self, page: &Page, base: &str, hosts: &[FloatingHost], now: Timestamp) -> Self {
        let row = |host: &FloatingHost| {
            let when = page.format.instant(host.ends_at);
            let key = if host.ends_at > now {
                "hosts-until"
            } else {
                "hosts-ended"
            };
            HostRow {
                key: host.key.to_string(),
                until: page.say_one(key, "when", when),
                file: format!("{base}/hosts/{}/file", host.key),
            }
        };
        self.rows = hosts.iter().map(row).collect();
        self
    }
}

/// `POST /licenses/{id}/hosts`.
pub async fn delegate(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<HostForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let license = license_id(&id)?;
    let base = format!("/licenses/{license}");
    let (Ok(host), Ok(days)) = (form.host_key.trim().parse(), form.days.trim().parse()) else {
        let key = match form.days.trim().parse::<i64>() {
            Ok(_) => "hosts-key-wrong",
            Err(_) => "hosts-days-wrong",
        };
        return no(&ask, &base, &form, 422, key);
    };
    let command = DelegateHost {
        license,
        host,
        days,
    };
    let caller = &ask.visitor.caller;
    match ask
        .app
        .transact(caller, command, licensing::delegate_host)
        .await
    {
        Ok(_) => go_to(&base),
        Err(error) => {
            let key = match &error {
                LicensingError::DaysOutOfRange { .. } => "hosts-days-wrong",
                LicensingError::SeatsInUse { .. } => "hosts-in-use",
                LicensingError::SeatsDelegated { .. } => "hosts-other",
                _ => return Err(error.into()),
            };
            let status = Problem::from(error).status;
            no(&ask, &base, &form, status, key)
        }
    }
}

fn no(ask: &Ask, base: &str, form: &HostForm, status: u16, key: &'static str) -> Answer {
    let page = ask.section_page("hosts-title", Section::Licenses);
    let error = Some(page.words.say(key));
    let hosts = Hosts::new(&page, base, form, error);
    let base = base.to_owned();
    refused(status, &RefusedPage { page, base, hosts })
}

/// `GET /licenses/{id}/hosts/{host}/file`: what `mintreu serve --floating` is given.
pub async fn file(ask: Ask, Path((id, host)): Path<(String, String)>) -> Answer {
    let license = license_id(&id)?;
    ask.account()?;
    let host: PublicKey = host.parse().map_err(|_| nothing_here())?;
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, license, licensing::hosts).await?;
    let found = found.into_iter().find(|one| one.key == host);
    let found = found.ok_or_else(|| PageProblem(nothing_here()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"floating.mtl\"",
        ),
    ];
    Ok((headers, found.file).into_response())
}
