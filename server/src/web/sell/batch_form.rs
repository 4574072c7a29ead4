//! The forms of a product's licenses in bulk: their inputs as text, and what each mistake is told by.

use super::form::Mistake;
use crate::domains::catalog::Product;
use crate::domains::licensing::batches::Generate;
use crate::domains::licensing::batches::rows::instant;
use crate::problem::Problem;
use axum::extract::Multipart;
use axum::extract::multipart::MultipartError;
use serde::Deserialize;

/// What the form to issue sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct IssueForm {
    pub key: String,
    pub count: String,
    pub label: String,
    pub seats: String,
    pub expires: String,
}

/// What the form to bring keys in sends.
#[derive(Default)]
pub struct ImportForm {
    pub csrf: String,
    pub label: String,
    pub keys: String,
    pub file: Vec<u8>,
    pub allow_weak: bool,
}

/// The sentence of a mistake that the domain found.
pub fn field_key(field: &str) -> &'static str {
    match field {
        "count" => "batch-count-wrong",
        "expires" => "batch-expires-wrong",
        "label" => "field-too-long",
        _ => "field-out-of-range",
    }
}

/// What the form asks for, as far as it can be read.
pub fn generate_of(product: &Product, form: &IssueForm) -> Result<Generate, Mistake> {
    let seats = match form.seats.trim() {
        "" => None,
        seats => Some(seats.parse().map_err(|_| ("seats", "field-number"))?),
    };
    let expires_at = match form.expires.trim() {
        "" => None,
        day => Some(instant(day).map_err(|_| ("expires", "batch-expires-wrong"))?),
    };
    let count = form.count.trim().parse();
    Ok(Generate {
        slug: product.slug.clone(),
        count: count.map_err(|_| ("count", "field-number"))?,
        label: form.label.clone(),
        seats,
        expires_at,
    })
}

/// Reads the form with its file.
pub async fn read(mut form: Multipart) -> Result<ImportForm, Problem> {
    let unreadable = |error: MultipartError| {
        let status = error.status().as_u16();
        let detail = format!("The form can't be read: {error}.");
        Problem::new(status, "form_malformed", detail)
    };
    let mut sent = ImportForm::default();
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(unreadable)?;
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        match name.as_str() {
            "csrf" => sent.csrf = text(),
            "import_label" => sent.label = text(),
            "keys" => sent.keys = text(),
            "file" => sent.file = bytes.to_vec(),
            "allow_weak" => sent.allow_weak = true,
            _ => {}
        }
    }
    Ok(sent)
}

/// The sentence of a row's code.
pub fn row_key(code: &str) -> &'static str {
    match code {
        "duplicate" => "row-duplicate",
        "key_too_short" => "row-too-short",
        "key_too_long" => "row-too-long",
        "code_mistyped" => "row-code-mistyped",
        "key_is_code" => "row-is-code",
        "expired" => "row-expired",
        "expires_malformed" => "row-expires",
        "seats_malformed" => "row-seats",
        "reference_malformed" => "row-reference",
        "key_weak" => "row-weak",
        _ => "row-unprintable",
    }
}
