//! `cargo metadata --format-version 1`: the packages of a Rust workspace and what it depends on.

use super::record::{Item, Place, Record, Refusal, Vendor, address, line, slug};
use crate::domains::catalog::model::{Kind, PriceDraft, PriceModel, is_slug};
use serde::Deserialize;
use std::io::{BufRead, Read};

/// Largest document, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    authors: Vec<String>,
    description: Option<String>,
    license: Option<String>,
    homepage: Option<String>,
    repository: Option<String>,
    #[serde(default)]
    categories: Vec<String>,
}

/// Reads the whole document; its packages are numbered from 1 in place of lines.
pub(super) fn read(reader: impl BufRead) -> std::io::Result<Vec<Item>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(std::io::Error::other(format!(
            "more than {MAX_BYTES} bytes"
        )));
    }
    let metadata: Metadata = serde_json::from_slice(&bytes)
        .map_err(|error| std::io::Error::other(format!("no cargo metadata: {error}")))?;
    let item = |(line, value): (u64, serde_json::Value)| Item {
        line,
        outcome: package(value),
    };
    Ok((1..).zip(metadata.packages).map(item).collect())
}

fn package(value: serde_json::Value) -> Result<Box<Record>, Refusal> {
    let package: Package = serde_json::from_value(value)
        .map_err(|error| Refusal::new("field_missing", line(&error.to_string(), 200)))?;
    let own_slug = package.name.to_ascii_lowercase().replace('_', "-");
    if !is_slug(&own_slug) {
        let detail = format!("{:?} is no package name", package.name);
        return Err(Refusal::new("name_malformed", line(&detail, 200)));
    }
    let summary = line(package.description.as_deref().unwrap_or_default(), 200);
    if summary.is_empty() {
        return Err(Refusal::new("field_missing", "there is no description"));
    }
    Ok(Box::new(Record {
        origin: format!("cargo:{}", package.name),
        code: format!("crates.{own_slug}"),
        slug: own_slug,
        kind: Kind::Package,
        name: line(&package.name, 120),
        description: line(package.description.as_deref().unwrap_or_default(), 2000),
        summary,
        version: line(&package.version, 60),
        homepage: package
            .homepage
            .iter()
            .chain(&package.repository)
            .find_map(|text| address(text)),
        spdx: package
            .license
            .as_deref()
            .map(|text| line(&text.replace('/', " OR "), 200)),
        vendor: vendor(&package)?,
        places: places(&package.categories),
        price: PriceDraft::plain(PriceModel::Free, 0, "EUR"),
    }))
}

/// The first author, else the owner of the repository.
fn vendor(package: &Package) -> Result<Vendor, Refusal> {
    let author = package
        .authors
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let name = author
        .split_once('<')
        .map_or(author, |(name, _)| name)
        .trim();
    let owner = package
        .repository
        .as_deref()
        .and_then(|address| address.split('/').nth(3));
    let name = if name.is_empty() {
        owner.unwrap_or_default()
    } else {
        name
    };
    let name = line(name, 80);
    if name.is_empty() {
        return Err(Refusal::new(
            "field_missing",
            "there is neither author nor repository",
        ));
    }
    Ok(Vendor {
        key: format!("cargo:{name}"),
        name,
    })
}

/// `development-tools::profiling` stands at crates/development-tools/profiling.
fn places(categories: &[String]) -> Vec<Place> {
    let top = || ("crates".to_owned(), "Crates".to_owned());
    let mut places = Vec::new();
    for category in categories.iter().take(10) {
        let mut levels = vec![top()];
        for word in category
            .split("::")
            .take(4)
            .filter(|word| !slug(word).is_empty())
        {
            levels.push((slug(word), line(&word.replace('-', " "), 80)));
        }
        places.push(Place(levels));
    }
    if places.is_empty() {
        places.push(Place(vec![top()]));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_one_by_one_and_bad_ones_refused() {
        let text = r#"{"packages":[
            {"name":"serde_x","version":"1.0.0","authors":["Ada <ada@example.org>"],
             "description":"Does\n things","license":"MIT/Apache-2.0","homepage":null,
             "repository":"https://git.example/ada/serde_x","categories":["encoding::json"]},
            {"name":"nobody","version":"1.0.0","description":"x"},
            {"name":"silent","version":"1.0.0","authors":["Ada"]},
            {"version":"1.0.0"}, 7]}"#;
        let items = read(text.as_bytes()).unwrap();
        let record = items[0].outcome.clone().unwrap();
        assert_eq!(
            (record.slug.as_str(), record.summary.as_str()),
            ("serde-x", "Does things")
        );
        assert_eq!(record.spdx.as_deref(), Some("MIT OR Apache-2.0"));
        assert_eq!(record.places[0].0.len(), 3);
        let codes: Vec<_> = items[1..]
            .iter()
            .map(|i| i.outcome.clone().unwrap_err().code)
            .collect();
        assert_eq!(codes, ["field_missing"; 4]);
        assert!(read(b"{}".as_slice()).is_err() && read(b"[".as_slice()).is_err());
    }
}
