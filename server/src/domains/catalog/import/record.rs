//! What a reader hands over: a product as the outside world describes it, or why not.

use crate::domains::catalog::model::{Kind, PriceDraft};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Changes when the same record would become another product, so that all are written again.
const MAPPING: &str = "1";

/// Somebody who offers products elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vendor {
    /// What makes them the same vendor next time; only its hash is stored.
    pub key: String,
    /// The public name.
    pub name: String,
}

/// A category by its way from the top: slug and name of each level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place(pub Vec<(String, String)>);

/// A product as an outside catalog describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// What makes it the same product next time: `debian:0ad`.
    pub origin: String,
    /// Part of its address.
    pub slug: String,
    /// The audience of its licenses.
    pub code: String,
    /// What kind it is.
    pub kind: Kind,
    /// The name people see.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Markdown.
    pub description: String,
    /// The current version.
    pub version: String,
    /// An https or http address.
    pub homepage: Option<String>,
    /// An SPDX license expression.
    pub spdx: Option<String>,
    /// Who offers it.
    pub vendor: Vendor,
    /// Where it stands, at least one; the first names it in lists.
    pub places: Vec<Place>,
    /// What it costs.
    pub price: PriceDraft,
}

/// Why an item was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable: `field_missing`, `line_broken`, `too_large`, `duplicate` …
    pub code: &'static str,
    /// One sentence.
    pub detail: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

/// One thing of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it starts, from 1.
    pub line: u64,
    /// What it is, or why it isn't taken.
    pub outcome: Result<Box<Record>, Refusal>,
}

impl Item {
    /// SHA-256 over what the item says.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(MAPPING);
        match &self.outcome {
            // A record holds text only, so that it always serialises.
            Ok(record) => hash.update(serde_json::to_vec(record).unwrap_or_default()),
            Err(refusal) => {
                hash.update(self.line.to_be_bytes());
                hash.update(refusal.code);
            }
        }
        hash.finalize().into()
    }
}

/// At most `most` characters on one line; what is cut ends in an ellipsis.
pub(super) fn line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    if text.chars().count() <= most {
        return text;
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// An address that a page may link to.
pub(super) fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let sound = !rest.is_empty()
        && text.len() <= 300
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte));
    sound.then(|| text.to_owned())
}

/// A slug of a category: folded, anything else becomes `-`.
pub(super) fn slug(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept: String = lower
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "+.".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    kept.trim_matches(['-', '.', '+'])
        .chars()
        .take(60)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_cleaned() {
        assert_eq!(line("  a\tb\n c\u{7} ", 10), "a b c");
        assert_eq!(line("abcdef", 4), "abc…");
    }

    #[test]
    fn only_web_addresses_are_linked() {
        assert_eq!(
            address(" https://a.example/x ").as_deref(),
            Some("https://a.example/x")
        );
        for bad in [
            "javascript:alert(1)",
            "https://",
            "ftp://a",
            "https://a\"onclick",
            "x",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn category_slugs_are_plain() {
        assert_eq!(slug("X11 & Co"), "x11---co");
        assert_eq!(slug("c++"), "c");
        assert_eq!(slug("works-with::xml:rss"), "works-with--xml-rss");
    }
}
