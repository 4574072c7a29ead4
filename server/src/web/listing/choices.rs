//! What stands beside a list: how to order it, and what narrows it with how many products it leaves.

use super::super::page::Page;
use super::super::shelf::kind_name;
use super::{BUNDLES, Narrow, category_address};
use crate::domains::bundles::Card;
use crate::domains::catalog::model::{CategoryCount, Facets, PriceBand, Sort};

/// A link that narrows or orders a list.
pub(super) struct Choice {
    pub name: String,
    pub count: String,
    pub address: String,
    pub chosen: bool,
}

pub(super) struct Facet {
    pub title: String,
    pub options: Vec<Choice>,
}

pub(super) fn sorts(page: &Page, narrow: &Narrow, base: &str) -> Vec<Choice> {
    if narrow.is_of_bundles() {
        // They come newest first.
        return Vec::new();
    }
    let chosen = narrow.listing("").sort;
    let choice = |sort: Sort, key: &'static str| Choice {
        name: page.say(key),
        count: String::new(),
        address: narrow
            .but(|narrow| narrow.sort = Some(sort.name().to_owned()))
            .address(base),
        chosen: sort == chosen,
    };
    vec![
        choice(Sort::Newest, "sort-newest"),
        choice(Sort::Name, "sort-name"),
    ]
}

/// Kinds and price bands with how many products each has; bundles are a kind as well, and uncounted.
pub(super) fn kinds_and_bands(
    page: &Page,
    (facets, bundles): (&Facets, &[Card]),
    narrow: &Narrow,
    base: &str,
) -> Vec<Facet> {
    let own = narrow.is_of_bundles();
    let kinds = facets.kinds.iter().map(|entry| {
        let chosen = narrow.kind() == Some(entry.kind);
        let value = (!chosen).then(|| entry.kind.name().to_owned());
        Choice {
            name: kind_name(page, entry.kind),
            count: page.format.number(entry.count),
            address: narrow.but(|narrow| narrow.kind = value).address(base),
            chosen,
        }
    });
    let together = (own || !bundles.is_empty()).then(|| Choice {
        name: page.say("bundle"),
        count: String::new(),
        address: narrow
            .but(|narrow| {
                narrow.kind = (!own).then(|| BUNDLES.to_owned());
                narrow.sort = None;
            })
            .address(base),
        chosen: own,
    });
    let kinds = kinds.chain(together);
    let bands = facets.bands.iter().map(|entry| {
        let chosen = narrow.band() == Some(entry.band);
        let value = (!chosen).then(|| entry.band.name().to_owned());
        Choice {
            name: page.say(band_key(entry.band)),
            count: counted(page, narrow, entry.count),
            address: narrow.but(|narrow| narrow.price = value).address(base),
            chosen,
        }
    });
    let groups = [
        ("facet-kind", kinds.collect::<Vec<_>>()),
        ("facet-price", bands.collect()),
    ];
    let facet = |(key, options): (&str, Vec<Choice>)| Facet {
        title: page.words.say(key),
        options,
    };
    groups
        .into_iter()
        .filter(|(_, options)| !options.is_empty())
        .map(facet)
        .collect()
}

/// How many products a choice leaves; nothing where bundles are looked at.
fn counted(page: &Page, narrow: &Narrow, count: u64) -> String {
    match narrow.is_of_bundles() {
        true => String::new(),
        false => page.format.number(count),
    }
}

fn band_key(band: PriceBand) -> &'static str {
    match band {
        PriceBand::Free => "band-free",
        PriceBand::Metered => "band-metered",
        PriceBand::Under10 => "band-under-10",
        PriceBand::Under50 => "band-under-50",
        PriceBand::Under200 => "band-under-200",
        PriceBand::From200 => "band-from-200",
    }
}

/// The categories right below: each is a page of its own and keeps the other filters.
pub(super) fn categories_below(
    page: &Page,
    below: &[CategoryCount],
    narrow: &Narrow,
) -> Option<Facet> {
    let kept = narrow.but(|narrow| {
        narrow.q = String::new();
        narrow.category = None;
    });
    let choice = |entry: &CategoryCount| Choice {
        name: entry.category.name.clone(),
        count: counted(page, narrow, entry.count),
        address: kept.address(&category_address(&entry.category.path)),
        chosen: false,
    };
    let options: Vec<Choice> = below.iter().map(choice).collect();
    (!options.is_empty()).then(|| Facet {
        title: page.say("facet-category"),
        options,
    })
}

/// The categories of what a search found: each narrows the search.
pub(super) fn categories_found(
    page: &Page,
    found: &[CategoryCount],
    narrow: &Narrow,
) -> Option<Facet> {
    let choice = |entry: &CategoryCount| {
        let path = &entry.category.path;
        let chosen = narrow.category.as_ref() == Some(path);
        let value = (!chosen).then(|| path.clone());
        Choice {
            name: entry.category.name.clone(),
            count: counted(page, narrow, entry.count),
            address: narrow
                .but(|narrow| narrow.category = value)
                .address("/search"),
            chosen,
        }
    };
    let options: Vec<Choice> = found.iter().map(choice).collect();
    (!options.is_empty()).then(|| Facet {
        title: page.say("facet-category"),
        options,
    })
}
