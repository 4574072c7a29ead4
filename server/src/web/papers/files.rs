//! Papers as PDF: the page's own sheet, printed.

use super::super::ask::{Answer, Ask};
use super::super::license::Token;
use super::super::page::Page;
use super::sheets::{credit_sheet, invoice_sheet, page_of};
use super::{read_credit, read_invoice};
use crate::print::{Sheet, pdf};
use crate::problem::Problem;
use crate::wire::Query;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// `GET /invoices/{id}/invoice.pdf?t=…`.
pub async fn invoice(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let found = read_invoice(&ask, &id, &token?.0).await?;
    let page = ask.page("invoice");
    let name = found.invoice.number_text();
    file(page, move |page| invoice_sheet(page, &found), name).await
}

/// `GET /credit-notes/{id}/credit-note.pdf?t=…`.
pub async fn credit(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let found = read_credit(&ask, &id, &token?.0).await?;
    let page = ask.page("invoice");
    let name = found.view.note.number_text();
    file(page, move |page| credit_sheet(page, &found), name).await
}

/// A sheet as a file, printed beside the requests: a long one takes a moment.
pub async fn file(
    page: Page,
    sheet: impl FnOnce(&Page) -> Sheet + Send + 'static,
    name: String,
) -> Answer {
    Ok(printed(page, sheet, name).await?)
}

/// As [`file()`], for a program.
pub async fn printed(
    page: Page,
    sheet: impl FnOnce(&Page) -> Sheet + Send + 'static,
    name: String,
) -> Result<Response, Problem> {
    let printed = tokio::task::spawn_blocking(move || {
        let sheet = sheet(&page);
        pdf(&sheet, &|number, total| page_of(&page, number, total))
    });
    let failed = |error: String| {
        tracing::error!(error, "a paper could not be printed");
        Problem::internal()
    };
    let printed = printed.await.map_err(|error| failed(error.to_string()))?;
    let bytes = printed.map_err(|error| failed(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.pdf\""),
        ),
    ];
    Ok((headers, bytes).into_response())
}
