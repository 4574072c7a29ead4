//! Usage and what it costs: a chart a meter, the bill so far and where it is heading, invoices.

mod parts;

use self::parts::{DimensionView, PastView, PeriodRow, Projection, QuotaView};
use super::ask::{Answer, Ask, go_to, html};
use super::order::Nothing;
use super::page::{Page, Section};
use super::papers;
use super::parts::{Badge, Bar, Chart, ChartWords, Figure, Point, Tone};
use super::product::{quota_text, tariff_text};
use crate::app::ReadCx;
use crate::domains::billing::{
    self, BillingError, Cadence, Held, HeldCredit, LicenseUsage, MeterUsage, MyReports, MyUsage,
    PeriodOfLicense, Plan, Preference, RatedLine, UsageOfLicense, WishReports,
};
use crate::domains::catalog;
use crate::domains::fulfilment::{
    AutomaticPayment, EndAutomaticPayment, automatic_payment, end_automatic_payment,
};
use crate::domains::invoicing::Invoice;
use crate::domains::metering::Day;
use crate::domains::refunds::{Dispute, DisputeState, PaidFor, disputes_of_invoices};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect};
use mintreu::Timestamp;
use mintreu::id::LicenseId;
use mintreu::price::Tariff;
use serde::Deserialize;

/// Days in a chart.
pub const DAYS: i64 = 30;
/// How long a period must have run before it is projected: a day.
const EARLY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Template)]
#[template(path = "usage.html")]
struct UsagePage {
    page: Page,
    tabs: Vec<Tab>,
    plan: Option<PlanView>,
    /// A closed period, in place of the running one.
    past: Option<PastView>,
    reports: Option<Vec<Choice>>,
    saved: bool,
}

/// How often one hears of one's usage by mail.
struct Choice {
    value: &'static str,
    text: String,
    chosen: bool,
}

struct Tab {
    name: String,
    address: String,
    chosen: bool,
}

struct PlanView {
    /// Everything that the server accepted, to download.
    export: String,
    period: String,
    figures: Vec<Figure>,
    projection: Option<Projection>,
    meters: Vec<MeterView>,
    periods: Vec<PeriodRow>,
    /// What a bill made now would say: each line's words and amount.
    lines: Vec<(String, String)>,
    /// What is left of each credit, and until when.
    credits: Vec<(String, String)>,
    invoices: Vec<InvoiceRow>,
    /// How invoices are paid.
    paying: Paying,
}

/// How invoices of a license are paid.
struct Paying {
    text: String,
    /// Where to end that they are paid by themselves; empty where they aren't.
    end: String,
}

impl Paying {
    fn of(
        page: &Page,
        license: LicenseId,
        (agreed, disputes): (Option<&AutomaticPayment>, &[Dispute]),
    ) -> Self {
        let disputed = disputes.iter().any(|one| bank_badge(page, one).is_some());
        match agreed {
            None => Self {
                text: page.say(match disputed {
                    true => "usage-paying-disputed",
                    false => "usage-paying-by-you",
                }),
                end: String::new(),
            },
            Some(agreed) => Self {
                text: page.say_one(
                    "usage-paying-by-itself",
                    "date",
                    page.format.date(agreed.agreed_at),
                ),
                end: format!("/usage/{license}/automatic-payment/end"),
            },
        }
    }
}

struct MeterView {
    name: String,
    /// Where its units come from.
    sources: String,
    price: String,
    chart: Chart,
    bar: Option<Bar>,
    quota: Option<QuotaView>,
    by: Option<DimensionView>,
    facts: Vec<(String, String)>,
}

struct InvoiceRow {
    address: String,
    number: String,
    date: String,
    state: Badge,
    /// What a bank does with its payment.
    bank: Option<Badge>,
    total: String,
}

/// Which license's usage is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    license: Option<String>,
    /// A closed period; without, the running one.
    period: Option<i64>,
    /// The dimension that meters are told apart by.
    by: Option<String>,
    /// The choice of reports was just kept.
    saved: Option<String>,
}

/// What the form of reports sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    cadence: String,
}

/// `POST /usage/reports`.
pub async fn wish(ask: Ask, form: Result<CsrfForm<Wish>, Problem>) -> Answer {
    ask.account()?;
    let CsrfForm(form) = form?;
    let cadence = Cadence::parse(&form.cadence);
    let cadence = cadence.ok_or_else(|| Problem::not_found("There is no such choice."))?;
    let wish = WishReports { cadence };
    let caller = &ask.visitor.caller;
    ask.app
        .transact(caller, wish, billing::wish_reports)
        .await?;
    Ok(Redirect::to("/usage?saved=reports#reports").into_response())
}

fn choices(page: &Page, known: Option<Preference>) -> Vec<Choice> {
    let known = known.map_or(Cadence::Never, |known| known.cadence);
    let choice = |(cadence, key): (Cadence, &str)| Choice {
        value: cadence.name(),
        text: page.say(key),
        chosen: cadence == known,
    };
    [
        (Cadence::Monthly, "usage-reports-monthly"),
        (Cadence::Weekly, "usage-reports-weekly"),
        (Cadence::Never, "usage-reports-never"),
    ]
    .map(choice)
    .into()
}

/// The caller's plans with the names of their products.
fn plans(cx: &mut ReadCx<'_>, query: &MyUsage) -> Result<Vec<(Plan, String)>, BillingError> {
    let plans = billing::my_plans(cx, query)?;
    let mut rows = Vec::with_capacity(plans.len());
    for plan in plans {
        let product = catalog::product(cx.tx, cx.caller.tenant, plan.product)?;
        let name = product.map_or_else(|| plan.product.to_string(), |product| product.name);
        rows.push((plan, name));
    }
    Ok(rows)
}

/// `GET /usage`.
pub async fn show(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    let Query(which) = which?;
    let plans = ask.app.read(&ask.visitor.caller, MyUsage, plans).await?;
    let nothing = || Problem::not_found("There is no such license.");
    let asked = which.license.as_deref().map(LicenseId::parse).transpose();
    let asked = asked.map_err(|_| nothing())?;
    let license = asked.or_else(|| plans.first().map(|(plan, _)| plan.license));
    let page = ask.section_page("usage-title", Section::Usage);
    let tab = |(plan, name): &(Plan, String)| Tab {
        name: name.clone(),
        address: format!("/usage?license={}", plan.license),
        chosen: Some(plan.license) == license,
    };
    let tabs = plans.iter().map(tab).collect();
    let caller = &ask.visitor.caller;
    let now = ask.app.now();
    let (plan, past) = match (license, which.period) {
        (Some(license), Some(period)) => {
            let query = PeriodOfLicense { license, period };
            let found = ask.app.read(caller, query, billing::past_period).await?;
            (None, Some(PastView::of(&page, license, &found)))
        }
        (Some(license), None) => {
            let query = UsageOfLicense::of_days(license, now, DAYS);
            let usage = ask.app.read(caller, query, billing::license_usage).await?;
            let agreed = ask.app.read(caller, license, automatic_payment).await?;
            let invoices = usage.invoices.iter().map(|invoice| invoice.id).collect();
            let disputes = ask.app.read(caller, invoices, disputes_of_invoices).await;
            let disputes = disputes.map_err(Problem::from)?;
            let paying = Paying::of(&page, license, (agreed.as_ref(), &disputes));
            let by = which.by.as_deref();
            let rows = usage.invoices.iter();
            let rows = rows.map(|invoice| invoice_row(&page, invoice, &disputes));
            let rows = rows.collect();
            (
                Some(plan_view(&page, &usage, (rows, paying), (by, now))),
                None,
            )
        }
        (None, _) => (None, None),
    };
    let known = ask.app.read(caller, MyReports, billing::my_reports).await?;
    let reports = (license.is_some() || known.is_some()).then(|| choices(&page, known));
    html(&UsagePage {
        page,
        tabs,
        plan,
        past,
        reports,
        saved: which.saved.is_some(),
    })
}

fn plan_view(
    page: &Page,
    usage: &LicenseUsage,
    (invoices, paying): (Vec<InvoiceRow>, Paying),
    (by, now): (Option<&str>, Timestamp),
) -> PlanView {
    let money = |amount| page.format.money(amount);
    let (from, until) = usage.plan.bounds;
    let values = [
        ("from", page.format.date(from).into()),
        ("until", page.format.date(until).into()),
    ];
    let figure = |label: &str, value: String, remark: &str| Figure {
        label: page.words.say(label),
        value,
        remark: page.words.say(remark),
    };
    let committed = usage.plan.commitment;
    let mut figures = vec![
        figure("usage-cost", money(usage.cost), "usage-cost-text"),
        figure("usage-open", money(usage.open), "usage-open-text"),
        match now.since_ms(from) < EARLY_MS {
            // A few minutes say nothing about a month.
            true => figure(
                "usage-projected",
                "\u{2013}".to_owned(),
                "usage-projected-early",
            ),
            false => figure(
                "usage-projected",
                money(usage.projected),
                "usage-projected-text",
            ),
        },
    ];
    if committed.minor() > 0 {
        figures.push(figure(
            "usage-commitment",
            money(committed),
            "usage-commitment-text",
        ));
    }
    PlanView {
        export: format!("/usage/{}/export", usage.plan.license),
        period: page.words.say_with("usage-period", values),
        figures,
        projection: (now.since_ms(from) >= EARLY_MS).then(|| Projection::of(page, usage, now)),
        periods: parts::periods(page, usage),
        lines: usage
            .lines
            .iter()
            .map(|line| (rated_words(page, line), money(line.amount)))
            .collect(),
        credits: usage
            .credits
            .iter()
            .map(|credit| credit_row(page, credit))
            .collect(),
        meters: usage
            .meters
            .iter()
            .map(|meter| MeterView {
                sources: format!("/usage/{}/sources/{}", usage.plan.license, meter.name),
                by: DimensionView::of(page, usage, meter, by),
                ..meter_view(page, meter, now.since_ms(from) >= EARLY_MS)
            })
            .collect(),
        invoices,
        paying,
    }
}

/// `POST /usage/{license}/automatic-payment/end`.
pub async fn end_automatic(
    ask: Ask,
    Path(license): Path<String>,
    form: Result<CsrfForm<Nothing>, Problem>,
) -> Answer {
    form?;
    ask.account()?;
    let license = LicenseId::parse(&license);
    let license = license.map_err(|_| Problem::not_found("There is no such license."))?;
    let command = EndAutomaticPayment { license };
    let caller = &ask.visitor.caller;
    let ended = ask.app.transact(caller, command, end_automatic_payment);
    ended.await.map_err(Problem::from)?;
    go_to(&format!("/usage?license={license}#invoices"))
}

/// `calls: 2500 × 0.01 = 25.00 EUR`.
fn rated_words(page: &Page, line: &RatedLine) -> String {
    match &line.meter {
        Some(meter) => format!("{meter}: {}", line.explanation),
        None if line.kind == "commitment" => page.say("line-commitment"),
        None => line.explanation.clone(),
    }
}

/// What a bank does with an invoice's payment; of a suspicion nothing has come yet, and what is
/// decided for the seller is as if nothing had been.
fn bank_badge(page: &Page, dispute: &Dispute) -> Option<Badge> {
    let (tone, key) = match dispute.state {
        DisputeState::Inquiry => (Tone::Wait, "usage-bank-asks"),
        DisputeState::Chargeback => (Tone::Wait, "usage-bank-took"),
        DisputeState::Lost => (Tone::Info, "usage-bank-keeps"),
        DisputeState::Warning | DisputeState::Won | DisputeState::Prevented => return None,
    };
    Some(Badge::new(tone, page.say(key)))
}

fn credit_row(page: &Page, credit: &HeldCredit) -> (String, String) {
    let mut what = match &credit.left {
        Held::Money(money) => page.format.money(*money),
        Held::Units { meter, units } => {
            let values = [
                ("units", units.to_string().into()),
                ("meter", meter.as_str().into()),
            ];
            page.words.say_with("usage-credit-units", values)
        }
    };
    if !credit.note.is_empty() {
        what = format!("{what} ({})", credit.note);
    }
    let until = match credit.expires_at {
        Some(end) => page.say_one("usage-credit-until", "date", page.format.date(end)),
        None => page.say("usage-credit-always"),
    };
    (what, until)
}

fn meter_view(page: &Page, meter: &MeterUsage, projects: bool) -> MeterView {
    let number = |units: u64| page.format.number(units);
    let tariff = meter.tariff.parse::<Tariff>();
    let (free, used) = (meter.free_units, meter.period_units);
    let bar = (free > 0).then(|| {
        let values = [("used", number(used).into()), ("free", number(free).into())];
        let text = page.words.say_with("usage-free-text", values);
        Bar::new(page.say("usage-free"), text, used, free)
    });
    let mut facts = vec![
        (page.say("usage-this-period"), number(used)),
        (
            page.say("usage-all-time"),
            page.format.signed(meter.total_units),
        ),
        (page.say("usage-cost"), page.format.money(meter.cost)),
    ];
    if meter.prepaid_units > 0 {
        facts.push((page.say("usage-prepaid"), number(meter.prepaid_units)));
    }
    if projects {
        facts.push((
            page.say("usage-projected"),
            page.format.money(meter.projected_cost),
        ));
    }
    let limit = meter
        .limit
        .map(|(most, window)| (most, window, quota_text(page, most, &meter.unit, window)));
    // The chart's steps are days, so only a daily limit is a line in it.
    let line = limit.filter(|(_, window, _)| *window == catalog::model::Window::Day);
    let line = line.and_then(|(most, _, text)| Some((u64::try_from(most).ok()?, text)));
    if meter.disputed_units > 0 {
        facts.push((
            page.say("usage-disputed"),
            page.format.signed(meter.disputed_units),
        ));
    }
    MeterView {
        name: meter.name.clone(),
        sources: String::new(),
        price: tariff.map_or_else(
            |_| meter.tariff.clone(),
            |tariff| tariff_text(page, &tariff, &meter.unit),
        ),
        chart: days_chart(page, &meter.name, &meter.series, line),
        bar,
        quota: meter.quota.map(|quota| QuotaView::of(page, meter, quota)),
        by: None,
        facts,
    }
}

/// Units by day as bars, with a limit and its name across them.
pub fn days_chart(page: &Page, meter: &str, days: &[Day], limit: Option<(u64, String)>) -> Chart {
    let words = ChartWords {
        title: page.say_one("chart-usage", "meter", meter),
        as_table: page.say("chart-as-table"),
        step: page.say("chart-day"),
        value: page.say("chart-units"),
    };
    let point = |day: &Day| {
        let units = u64::try_from(day.units).unwrap_or(0);
        Point {
            label: page.format.day(day.at),
            value: units,
            text: page.format.number(units),
        }
    };
    Chart::bars(words, days.iter().map(point).collect(), limit)
}

fn invoice_row(page: &Page, invoice: &Invoice, disputes: &[Dispute]) -> InvoiceRow {
    let newest = disputes
        .iter()
        .rfind(|one| one.of == PaidFor::Invoice(invoice.id));
    InvoiceRow {
        bank: newest.and_then(|dispute| bank_badge(page, dispute)),
        address: format!("/invoices/{}", invoice.id),
        number: invoice.number_text(),
        date: page.format.date(invoice.finalized_at),
        state: papers::invoice_badge(page, invoice.state),
        total: page.format.money(invoice.total),
    }
}
