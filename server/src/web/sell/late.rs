//! How a product's late usage is billed, as its seller chooses.

use super::must_sell;
use crate::domains::billing::{self, LateOf, LatePolicy, SetLate};
use crate::problem::Problem;
use crate::web::ask::{Answer, Ask};
use crate::web::page::Page;
use crate::wire::CsrfForm;
use axum::response::{IntoResponse, Redirect};
use mintreu::id::ProductId;
use serde::Deserialize;

/// One way.
pub struct Choice {
    pub value: &'static str,
    pub text: String,
    pub hint: String,
    pub chosen: bool,
}

/// Both ways, with the product's marked.
pub async fn choices(ask: &Ask, page: &Page, product: ProductId) -> Result<Vec<Choice>, Problem> {
    let caller = &ask.visitor.caller;
    let known = ask.app.read(caller, LateOf(product), billing::late_of);
    let known = known.await?;
    let choice = |(policy, text, hint): (LatePolicy, &str, &str)| Choice {
        value: policy.name(),
        text: page.say(text),
        hint: page.say(hint),
        chosen: policy == known,
    };
    let all = [
        (LatePolicy::Current, "late-current", "late-current-text"),
        (LatePolicy::Amend, "late-amend", "late-amend-text"),
    ];
    Ok(all.into_iter().map(choice).collect())
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LateForm {
    product: String,
    late: String,
}

/// `POST /sell/usage/late`.
pub async fn set(ask: Ask, form: Result<CsrfForm<LateForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let missing = || Problem::not_found("There is no such product.");
    let product = ProductId::parse(&form.product).map_err(|_| missing())?;
    let policy = LatePolicy::parse(&form.late).ok_or_else(missing)?;
    let command = SetLate { product, policy };
    let caller = &ask.visitor.caller;
    ask.app.transact(caller, command, billing::set_late).await?;
    Ok(Redirect::to(&format!("/sell/usage?product={product}&saved=late#late")).into_response())
}
