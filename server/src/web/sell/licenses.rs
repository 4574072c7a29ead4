//! A product's licenses in bulk: issue many, bring keys in, and what became of each batch.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Crumbs, Field, Notice, Tone};
use super::batch_form::{ImportForm, IssueForm, field_key, generate_of, read, row_key};
use super::form::Mistake;
use super::must_sell;
use crate::domains::catalog::Product;
use crate::domains::catalog::ops::{OwnProduct, own_product};
use crate::domains::licensing::LicensingError;
use crate::domains::licensing::batches::files::{Moving, import_page};
use crate::domains::licensing::batches::http::{codes_csv, reason};
use crate::domains::licensing::batches::{
    self, Batch, BatchState, Batches, ImportReport, Outcome, RevokeBatch, RowReport,
};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Idempotent, Query};
use askama::Template;
use axum::extract::{Multipart, Path};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::{BatchId, ProductId};
use serde::Deserialize;

/// Batches of one page.
const PAGE: i64 = 20;
/// Refused rows that are shown.
const SHOWN: usize = 200;

#[derive(Template)]
#[template(path = "sell/licenses.html")]
struct LicensesPage {
    page: Page,
    crumbs: Crumbs,
    base: String,
    redeem: String,
    notice: Option<Notice>,
    issue: Vec<Field>,
    key: String,
    import: Vec<Field>,
    allow_weak: bool,
    told: Vec<ToldRow>,
    rows: Vec<Row>,
    /// Whether a job is at work, so that looking again shows more.
    working: bool,
    next: Option<String>,
}

/// A row of a file that became no license.
struct ToldRow {
    line: String,
    why: String,
}

struct Row {
    id: String,
    label: String,
    kind: String,
    state: Badge,
    progress: String,
    /// For the bar; the text beside it says the same.
    done: i64,
    all: i64,
    working: bool,
    begun: String,
    ends: String,
    download: Option<String>,
    revoke: Option<String>,
    reason_id: String,
}

/// What the page is drawn from.
#[derive(Default)]
struct Shown {
    issue: IssueForm,
    import: ImportForm,
    wrong: Option<Mistake>,
    report: Option<ImportReport>,
    before: Option<BatchId>,
}

/// Where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: Option<String>,
}

fn missing() -> Problem {
    Problem::not_found("There is no such product.")
}

async fn own(ask: &Ask, id: &str) -> Result<Product, Problem> {
    must_sell(ask)?;
    let product = ProductId::parse(id).map_err(|_| missing())?;
    let query = OwnProduct { product };
    Ok(ask
        .app
        .read(&ask.visitor.caller, query, own_product)
        .await?)
}

/// `GET /sell/products/{id}/licenses`.
pub async fn show(
    ask: Ask,
    Path(id): Path<String>,
    after: Result<Query<After>, Problem>,
) -> Answer {
    let Query(after) = after?;
    ask.account()?;
    let product = own(&ask, &id).await?;
    let before = after.after.as_deref().map(BatchId::parse).transpose();
    let shown = Shown {
        before: before.map_err(|_| missing())?,
        ..Shown::default()
    };
    html(&drawn(&ask, &product, shown).await?)
}

async fn drawn(ask: &Ask, product: &Product, shown: Shown) -> Result<LicensesPage, Problem> {
    let query = Batches {
        slug: product.slug.clone(),
        before: shown.before,
        limit: PAGE,
    };
    let found = ask
        .app
        .read(&ask.visitor.caller, query, batches::list)
        .await?;
    let page = ask.section_page("sell-licenses", Section::Sell);
    let base = format!("/sell/products/{}", product.id);
    let steps = vec![
        (page.say("sell-products"), "/sell/products".to_owned()),
        (product.name.clone(), base.clone()),
    ];
    let full = i64::try_from(found.len()) == Ok(PAGE);
    let last = found.last().filter(|_| full);
    let rows: Vec<Row> = found.iter().map(|batch| row(&page, &base, batch)).collect();
    let mut random = [0; 16];
    (ask.app.entropy)(&mut random);
    let report = shown.report.as_ref();
    Ok(LicensesPage {
        crumbs: page.crumbs(steps, &page.say("sell-licenses")),
        redeem: format!("{}/redeem?product={}", ask.base(), product.slug),
        notice: report.map(|report| notice(&page, report)),
        issue: issue_fields(&page, product, &shown),
        key: URL_SAFE_NO_PAD.encode(random),
        import: import_fields(&page, &shown),
        allow_weak: shown.import.allow_weak,
        told: report.map_or_else(Vec::new, |report| told(&page, report)),
        working: rows.iter().any(|row| row.working),
        rows,
        next: last.map(|batch| format!("{base}/licenses?after={}", batch.id)),
        base,
        page,
    })
}

fn error(page: &Page, shown: &Shown, input: &str) -> Option<String> {
    let found = shown.wrong.filter(|(at, _)| *at == input);
    found.map(|(_, key)| page.words.say(key))
}

fn issue_fields(page: &Page, product: &Product, shown: &Shown) -> Vec<Field> {
    let form = &shown.issue;
    let field = |name: &'static str, label: &str, hint: String, value: &str| {
        Field::text(name, page.words.say(label))
            .hint(hint)
            .value(value)
            .error(error(page, shown, name))
    };
    let seats = page.say_one("batch-seats-hint", "seats", product.terms.seats);
    vec![
        field(
            "count",
            "batch-count",
            page.say("batch-count-hint"),
            &form.count,
        )
        .input_mode("numeric")
        .required()
        .max_length(6),
        field(
            "label",
            "batch-label",
            page.say("batch-label-hint"),
            &form.label,
        )
        .max_length(80),
        field("seats", "batch-seats", seats, &form.seats)
            .input_mode("numeric")
            .max_length(7),
        field(
            "expires",
            "batch-expires",
            page.say("batch-expires-hint"),
            &form.expires,
        )
        .max_length(30),
    ]
}

fn import_fields(page: &Page, shown: &Shown) -> Vec<Field> {
    let form = &shown.import;
    vec![
        Field::area("keys", page.say("batch-keys"))
            .hint(page.say("batch-keys-hint"))
            .value(form.keys.as_str())
            .error(error(page, shown, "keys"))
            .full(),
        Field::text("import_label", page.say("batch-label"))
            .hint(page.say("batch-import-label-hint"))
            .value(form.label.as_str())
            .error(error(page, shown, "import_label"))
            .max_length(80)
            .full(),
    ]
}

fn notice(page: &Page, report: &ImportReport) -> Notice {
    let figure = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let values = [
        ("created", figure(report.created).into()),
        ("unchanged", figure(report.unchanged).into()),
        ("refused", figure(report.refused).into()),
    ];
    let tone = match report.refused {
        0 => Tone::Good,
        _ => Tone::Info,
    };
    Notice::new(tone, page.words.say_with("batch-report", values))
}

fn told(page: &Page, report: &ImportReport) -> Vec<ToldRow> {
    let refused = report
        .rows
        .iter()
        .filter(|row| row.outcome == Outcome::Refused);
    let row = |row: &RowReport| ToldRow {
        line: page.format.number(row.line),
        why: page
            .words
            .say(row_key(row.code.as_deref().unwrap_or_default())),
    };
    refused.take(SHOWN).map(row).collect()
}

fn row(page: &Page, base: &str, batch: &Batch) -> Row {
    let (tone, key) = match batch.state {
        BatchState::Issuing => (Tone::Wait, "batch-issuing"),
        BatchState::Done => (Tone::Good, "batch-done"),
        BatchState::Revoking => (Tone::Wait, "batch-revoking"),
        BatchState::Revoked => (Tone::Bad, "batch-revoked"),
    };
    let withdrawn = matches!(batch.state, BatchState::Revoking | BatchState::Revoked);
    let (done, all) = match withdrawn {
        true => (batch.revoked, batch.issued),
        false => (batch.issued, batch.wanted),
    };
    let address = format!("{base}/licenses/{}", batch.id);
    let kind = match batch.kind {
        batches::BatchKind::Codes => "batch-of-codes",
        batches::BatchKind::Keys => "batch-of-keys",
    };
    let ends = batch.expires_at.map(|end| page.format.date(end));
    Row {
        id: batch.id.to_string(),
        label: match batch.label.as_str() {
            "" => page.say("batch-unnamed"),
            label => label.to_owned(),
        },
        kind: page.words.say(kind),
        state: Badge::new(tone, page.words.say(key)),
        progress: page.words.say_with(
            "batch-progress",
            [("done", done.into()), ("all", all.into())],
        ),
        done,
        all,
        working: matches!(batch.state, BatchState::Issuing | BatchState::Revoking),
        begun: page.format.date(batch.created_at),
        ends: ends.unwrap_or_else(|| page.say("license-never-ends")),
        download: (batch.state != BatchState::Issuing).then(|| format!("{address}/codes.csv")),
        revoke: (!withdrawn).then(|| format!("{address}/revoke")),
        reason_id: format!("reason-{}", batch.id),
    }
}

/// `POST /sell/products/{id}/licenses/issue`.
pub async fn issue(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<IssueForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let product = own(&ask, &id).await?;
    let wrong = match issued(&ask, &product, &form).await? {
        Ok(()) => return go_to(&format!("/sell/products/{}/licenses", product.id)),
        Err(wrong) => wrong,
    };
    let shown = Shown {
        issue: form,
        wrong: Some(wrong),
        ..Shown::default()
    };
    refused(422, &drawn(&ask, &product, shown).await?)
}

/// Issues what the form says, once however often it is sent.
async fn issued(
    ask: &Ask,
    product: &Product,
    form: &IssueForm,
) -> Result<Result<(), Mistake>, Problem> {
    let command = match generate_of(product, form) {
        Ok(command) => command,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let caller = &ask.visitor.caller;
    let fields = [
        product.slug.as_str(),
        &form.count,
        &form.label,
        &form.seats,
        &form.expires,
    ];
    let made = match form.key.is_empty() {
        true => ask.app.transact(caller, command, batches::generate).await,
        false => {
            let once = Idempotent::of("issue licenses", &form.key, &fields);
            ask.app
                .transact_once(caller, once, command, batches::generate)
                .await
        }
    };
    match made {
        Ok(_) => Ok(Ok(())),
        Err(LicensingError::Invalid { field, .. }) => Ok(Err((field, field_key(field)))),
        Err(error) => Err(error.into()),
    }
}

/// `POST /sell/products/{id}/licenses/import`: the page with its report.
pub async fn import(ask: Ask, Path(id): Path<String>, form: Multipart) -> Answer {
    ask.account()?;
    let product = own(&ask, &id).await?;
    let form = read(form).await?;
    if !ask.visitor.csrf_matches(&form.csrf) {
        let detail = "This form is too old or came from elsewhere; please load it again.";
        return Err(Problem::new(403, "csrf_mismatch", detail).into());
    }
    let moving = Moving {
        slug: product.slug.clone(),
        label: form.label.clone(),
        allow_weak: form.allow_weak,
    };
    // A file wins over pasted text: it was chosen on purpose.
    let bytes = match form.file.as_slice() {
        [] => form.keys.as_bytes(),
        file => file,
    };
    let wrong = match import_page(&ask.app, &ask.visitor.caller, moving, bytes).await {
        Ok(report) => {
            // What was refused stays to be mended; a file is chosen again.
            let import = match report.refused {
                0 => ImportForm::default(),
                _ => form,
            };
            let shown = Shown {
                import,
                report: Some(report),
                ..Shown::default()
            };
            return html(&drawn(&ask, &product, shown).await?);
        }
        Err(LicensingError::FileMalformed(_)) => ("keys", "batch-csv-malformed"),
        Err(LicensingError::TooLarge(_)) => ("keys", "batch-csv-too-large"),
        Err(LicensingError::Invalid { .. }) => ("import_label", "field-too-long"),
        Err(error) => return Err(error.into()),
    };
    let shown = Shown {
        import: form,
        wrong: Some(wrong),
        ..Shown::default()
    };
    refused(422, &drawn(&ask, &product, shown).await?)
}

fn batch_id(text: &str) -> Result<BatchId, Problem> {
    BatchId::parse(text).map_err(|_| missing())
}

/// `GET /sell/products/{id}/licenses/{batch}/codes.csv`.
pub async fn csv(ask: Ask, Path((_, batch)): Path<(String, String)>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let file = codes_csv(&ask.app, &ask.visitor.caller, batch_id(&batch)?).await;
    Ok(file?)
}

/// What the form to withdraw sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RevokeForm {
    reason: String,
}

/// `POST /sell/products/{id}/licenses/{batch}/revoke`.
pub async fn revoke(
    ask: Ask,
    Path((id, batch)): Path<(String, String)>,
    form: Result<CsrfForm<RevokeForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let product = own(&ask, &id).await?;
    let command = RevokeBatch {
        batch: batch_id(&batch)?,
        reason: reason(&form.reason)?,
    };
    let caller = &ask.visitor.caller;
    ask.app.transact(caller, command, batches::revoke).await?;
    go_to(&format!("/sell/products/{}/licenses", product.id))
}
