//! Finding products by words.
//!
//! Products are ranked by where the words stand: all in the name, all in the name or summary, the
//! last word the beginning of one in the name, all anywhere. The exact name comes first, then
//! shorter names: nothing in the order depends on an engine's own score.

use super::CatalogError;
use super::browse::{cards, category_at};
use crate::app::ReadCx;
use crate::domains::catalog::model::{
    CategoryCount, Facets, Kind, KindCount, Listing, PriceBand, PriceBandCount, SearchPage,
    SearchQuery,
};
use crate::domains::catalog::sql::categories;
use crate::domains::catalog::sql::listing::{Found, Question, found};
use crate::domains::catalog::tokens::{Field, Tokenizer, beginning, fold, question};
use crate::store::StoreError;
use mintreu::id::ProductId;
use std::collections::{BTreeMap, HashSet};

/// Most categories in the facet of a search.
const MAX_CATEGORIES: usize = 20;

/// See [`SearchQuery`]. A question without words finds nothing.
pub fn search(cx: &mut ReadCx<'_>, query: &SearchQuery) -> Result<SearchPage, CatalogError> {
    let text: String = query.text.chars().take(SearchQuery::MAX_TEXT).collect();
    let start = position(query.cursor.as_deref())?;
    let (ranked, total_is_floor) = ranked(cx, query, &text)?;
    let facets = facets(cx, query, &ranked)?;
    let matches = |entry: &&Found| is_kind(entry, query.kind) && is_band(entry, query.band);
    let ids: Vec<ProductId> = ranked
        .iter()
        .filter(matches)
        .map(|entry| entry.product)
        .collect();
    let limit = usize::try_from(query.limit.clamp(1, Listing::MAX_PAGE)).unwrap_or(1);
    let end = ids.len().min(start.saturating_add(limit));
    let page = ids.get(start..end).unwrap_or_default();
    Ok(SearchPage {
        items: cards(cx, page)?,
        facets,
        total: u64::try_from(ids.len()).unwrap_or(u64::MAX),
        total_is_floor,
        next: (end < ids.len()).then(|| end.to_string()),
    })
}

/// A search's cursor is a position in the ranking, which ends at [`SearchQuery::MAX_RANKED`].
fn position(cursor: Option<&str>) -> Result<usize, CatalogError> {
    let Some(cursor) = cursor else { return Ok(0) };
    let position = cursor.parse().map_err(|_| CatalogError::CursorUnknown)?;
    if position > SearchQuery::MAX_RANKED {
        return Err(CatalogError::CursorUnknown);
    }
    Ok(position)
}

/// All that was found, best first, and whether more would have been.
fn ranked(
    cx: &mut ReadCx<'_>,
    query: &SearchQuery,
    text: &str,
) -> Result<(Vec<Found>, bool), CatalogError> {
    let category = category_at(cx, &query.category)?.category;
    // Everything stands in the root, so that it need not be looked up.
    let category = (!category.path.is_empty()).then_some(category.id);
    let terms = Tokenizer::new(&query.language).terms(text);
    let (mut ranked, mut seen) = (Vec::new(), HashSet::new());
    if terms.is_empty() {
        return Ok((ranked, false));
    }
    let exact = fold(text.trim());
    let questions = [
        Some(question(&terms, Field::Name)),
        Some(question(&terms, Field::Brief)),
        beginning(&terms, text),
        Some(question(&terms, Field::Any)),
    ];
    for tokens in questions.iter().flatten() {
        let question = Question {
            tokens,
            exact: &exact,
            category,
        };
        let tier = found(
            cx.tx,
            cx.caller.tenant,
            question,
            SearchQuery::MAX_RANKED + 1,
        )?;
        ranked.extend(tier.into_iter().filter(|entry| seen.insert(entry.product)));
        if ranked.len() > SearchQuery::MAX_RANKED {
            ranked.truncate(SearchQuery::MAX_RANKED);
            return Ok((ranked, true));
        }
    }
    Ok((ranked, false))
}

fn is_kind(entry: &Found, kind: Option<Kind>) -> bool {
    kind.is_none_or(|kind| kind == entry.kind)
}

fn is_band(entry: &Found, band: Option<PriceBand>) -> bool {
    band.is_none_or(|band| band == entry.band)
}

fn facets(
    cx: &mut ReadCx<'_>,
    query: &SearchQuery,
    ranked: &[Found],
) -> Result<Facets, StoreError> {
    let tally = |keep: &dyn Fn(&&Found) -> bool| {
        u64::try_from(ranked.iter().filter(keep).count()).unwrap_or(u64::MAX)
    };
    let mut facets = Facets::default();
    for kind in Kind::ALL.iter().copied() {
        let count = tally(&|entry| entry.kind == kind && is_band(entry, query.band));
        if count > 0 {
            facets.kinds.push(KindCount { kind, count });
        }
    }
    for band in PriceBand::ALL.iter().copied() {
        let count = tally(&|entry| entry.band == band && is_kind(entry, query.kind));
        if count > 0 {
            facets.bands.push(PriceBandCount { band, count });
        }
    }
    facets.categories = category_facet(cx, query, ranked)?;
    Ok(facets)
}

/// The first categories of what was found, the most frequent of them first.
fn category_facet(
    cx: &mut ReadCx<'_>,
    query: &SearchQuery,
    ranked: &[Found],
) -> Result<Vec<CategoryCount>, StoreError> {
    let mut counts = BTreeMap::new();
    for entry in ranked {
        if is_kind(entry, query.kind) && is_band(entry, query.band) {
            *counts.entry(entry.category).or_insert(0_u64) += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
    let mut facet = Vec::new();
    for (id, count) in counts.into_iter().take(MAX_CATEGORIES) {
        let known = categories::by_id(cx.tx, cx.caller.tenant, id)?;
        facet.extend(known.map(|known| CategoryCount { count, ..known }));
    }
    Ok(facet)
}
