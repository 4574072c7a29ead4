//! Browsing: the front page, categories, search and products.

use super::ask::{Answer, Ask, html};
use super::bundle;
use super::listing::{HomePage, ListPage, Narrow, category_address};
use super::product::ProductPage;
use crate::domains::bundles::{category_page, front_page, product_page, search_page};
use crate::domains::catalog::ops::{Home, ProductAt};
use crate::problem::Problem;
use crate::wire::Query;
use axum::extract::Path;

/// `GET /`.
pub async fn home(ask: Ask) -> Answer {
    let found = ask.app.read(&ask.visitor.caller, Home, front_page).await?;
    let mut page = ask.page("home-window-title");
    page.canonical = format!("{}/", ask.base());
    page.description = page.say("home-lead");
    html(&HomePage::new(page, &found))
}

/// `GET /c/{path}`.
pub async fn category(
    ask: Ask,
    Path(path): Path<String>,
    narrow: Result<Query<Narrow>, Problem>,
) -> Answer {
    let Query(narrow) = narrow?;
    let wanted = (narrow.listing(&path), narrow.shelf(&path)?);
    let found = ask
        .app
        .read(&ask.visitor.caller, wanted, category_page)
        .await?;
    let mut page = ask.page("home");
    let name = found.0.view.category.name.as_str();
    page.title = name.to_owned();
    page.description = page.say_one("category-description", "category", name);
    if narrow.is_plain() {
        page.canonical = format!(
            "{}{}",
            ask.base(),
            category_address(&found.0.view.category.path)
        );
    }
    html(&ListPage::category(page, &found, &narrow))
}

/// `GET /search`: without words, everything there is.
pub async fn search(ask: Ask, narrow: Result<Query<Narrow>, Problem>) -> Answer {
    let Query(narrow) = narrow?;
    let mut page = ask.page("search-title");
    page.query.clone_from(&narrow.q);
    if narrow.q.trim().is_empty() {
        let path = narrow.category.clone().unwrap_or_default();
        let wanted = (narrow.listing(&path), narrow.shelf(&path)?);
        let caller = &ask.visitor.caller;
        let found = ask.app.read(caller, wanted, category_page).await?;
        return html(&ListPage::everything(page, &found, &narrow));
    }
    let within = narrow.category.as_deref().unwrap_or_default();
    let wanted = (narrow.search("en"), narrow.shelf(within)?);
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, wanted, search_page).await?;
    html(&ListPage::search(page, &found, &narrow))
}

/// `GET /p/{slug}`.
pub async fn product(ask: Ask, Path(slug): Path<String>) -> Answer {
    let query = ProductAt { slug };
    let caller = &ask.visitor.caller;
    let (found, offered) = ask.app.read(caller, query, product_page).await?;
    let page = ask.form_page("home");
    let bundles = bundle::named(&page, &offered);
    html(&ProductPage::new(
        page,
        (&found, bundles),
        ask.visitor.caller.account,
        ask.base(),
    ))
}
