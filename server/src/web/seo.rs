//! What search engines ask for: which pages to skip and which there are.

use super::ask::{Answer, Ask};
use super::listing::category_address;
use crate::app::ReadCx;
use crate::domains::catalog::model::{CategoryCount, Listing, Sort};
use crate::domains::catalog::ops::{CatalogError, Categories, categories, listing};
use axum::http::header;
use axum::response::IntoResponse;
use std::fmt::Write;

/// Most products named in the sitemap: the newest.
const MAX_PRODUCTS: usize = 1_000;

/// `GET /robots.txt`.
pub async fn robots(ask: Ask) -> Answer {
    let text = format!(
        "User-agent: *\nDisallow: /checkout/\nDisallow: /orders/\nDisallow: /licenses\n\
         Disallow: /usage\nDisallow: /invoices/\nDisallow: /search\nDisallow: /sandbox/\n\
         Sitemap: {}/sitemap.xml\n",
        ask.base()
    );
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Categories, and the newest products' slugs.
fn places(
    cx: &mut ReadCx<'_>,
    query: &Listing,
) -> Result<(Vec<CategoryCount>, Vec<String>), CatalogError> {
    let tree = categories(cx, &Categories)?;
    let (mut slugs, mut query) = (Vec::new(), query.clone());
    while slugs.len() < MAX_PRODUCTS {
        let found = listing(cx, &query)?;
        slugs.extend(found.items.into_iter().map(|card| card.slug));
        query.cursor = found.next;
        if query.cursor.is_none() {
            break;
        }
    }
    Ok((tree, slugs))
}

/// `GET /sitemap.xml`.
pub async fn sitemap(ask: Ask) -> Answer {
    let query = Listing {
        sort: Sort::Newest,
        limit: Listing::MAX_PAGE,
        ..Listing::default()
    };
    let (tree, slugs) = ask.app.read(&ask.visitor.caller, query, places).await?;
    let base = ask.base();
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
    );
    // Slugs and paths hold nothing that XML would mind.
    let addresses = tree
        .iter()
        .filter(|entry| !entry.category.path.is_empty())
        .map(|entry| category_address(&entry.category.path))
        .chain(slugs.iter().map(|slug| format!("/p/{slug}")));
    for address in std::iter::once("/".to_owned()).chain(addresses) {
        let _ = writeln!(text, "<url><loc>{base}{address}</loc></url>");
    }
    text.push_str("</urlset>\n");
    Ok((
        [(header::CONTENT_TYPE, "application/xml; charset=utf-8")],
        text,
    )
        .into_response())
}
