//! What a seller reads of their standing, and closing one's own account.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Crumbs, Field, Notice, Tone};
use super::must_sell;
use crate::domains::sellers::{
    CloseOwn, OwnStanding, SellerError, Standing, close_own, own_standing,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::CsrfForm;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "sell/close.html")]
struct ClosePage {
    page: Page,
    crumbs: Crumbs,
    follows: Vec<String>,
    fields: Vec<Field>,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CloseForm {
    shop: String,
}

/// Over each of a stopped seller's pages: why nothing is sold, and what still works.
pub(crate) fn banner(page: &Page, standing: Standing, reason: &str) -> Option<Notice> {
    match standing {
        Standing::Active => None,
        Standing::Suspended => {
            let text = page.say_one("seller-banner-suspended", "reason", reason);
            Some(Notice::new(Tone::Bad, text))
        }
        Standing::Closed if reason.is_empty() => {
            Some(Notice::new(Tone::Wait, page.say("seller-banner-closed")))
        }
        Standing::Closed => {
            let text = page.say_one("seller-banner-closed-why", "reason", reason);
            Some(Notice::new(Tone::Wait, text))
        }
    }
}

/// The form, with what was typed when that was wrong.
async fn drawn(ask: &Ask, wrong: Option<&str>) -> Result<ClosePage, PageProblem> {
    ask.account()?;
    must_sell(ask)?;
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, OwnStanding, own_standing).await;
    let found = found.map_err(Problem::from)?;
    let missing = || Problem::new(403, "shop_missing", "Open a shop first.");
    let (shop, _) = found.ok_or_else(missing)?;
    let page = ask.section_page("seller-close", Section::Sell);
    let steps = vec![(page.say("sell-overview"), "/sell".to_owned())];
    let field = Field::text("shop", page.say("seller-close-shop"))
        .hint(page.say_one("seller-close-shop-hint", "shop", &*shop.slug))
        .value(wrong.unwrap_or_default())
        .error(wrong.map(|_| page.say("seller-close-wrong")))
        .required()
        .max_length(100);
    Ok(ClosePage {
        crumbs: page.crumbs(steps, &page.say("seller-close")),
        follows: (1..=5)
            .map(|number| page.say(&format!("seller-close-{number}")))
            .collect(),
        fields: vec![field],
        page,
    })
}

/// `GET /sell/close`: what follows, in words.
pub async fn show(ask: Ask) -> Answer {
    html(&drawn(&ask, None).await?)
}

/// `POST /sell/close`.
pub async fn close(ask: Ask, form: Result<CsrfForm<CloseForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let command = CloseOwn {
        shop: form.shop.clone(),
    };
    let done = ask
        .app
        .transact(&ask.visitor.caller, command, close_own)
        .await;
    match done {
        Ok(()) => go_to("/sell"),
        Err(SellerError::NotConfirmed(_)) => refused(422, &drawn(&ask, Some(&form.shop)).await?),
        Err(error) => Err(Problem::from(error).into()),
    }
}
