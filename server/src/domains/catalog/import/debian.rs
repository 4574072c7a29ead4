//! Debian package lists, as `apt-cache dumpavail` writes them (deb822, Debian policy §5.1).
//!
//! A stanza is a package: `Key: value` lines, continued by lines that start with a space, ended by
//! an empty line. A broken line spoils its own stanza only.

use super::lines::{Line, Lines};
use super::record::{Item, Place, Record, Refusal, Vendor, address, line};
use super::sections;
use crate::domains::catalog::model::{Kind, PriceDraft, PriceModel};
use std::collections::BTreeMap;
use std::io::BufRead;

/// Largest stanza, in bytes of text.
const MAX_STANZA: usize = 256 * 1024;
/// Most tags of a package that become categories.
const MAX_TAGS: usize = 32;

/// Reads a package list.
pub(super) struct Packages<R>(Lines<R>);

impl<R: BufRead> Packages<R> {
    pub(super) fn new(reader: R) -> Self {
        Self(Lines::new(reader))
    }
}

/// The fields of one stanza, or the first thing wrong with it.
#[derive(Default)]
struct Stanza {
    fields: BTreeMap<String, String>,
    last: Option<String>,
    size: usize,
    wrong: Option<Refusal>,
}

impl Stanza {
    fn refuse(&mut self, code: &'static str, detail: impl Into<String>) {
        self.wrong.get_or_insert_with(|| Refusal::new(code, detail));
    }

    fn take(&mut self, number: u64, text: &str) {
        self.size += text.len();
        if self.size > MAX_STANZA {
            return self.refuse("too_large", format!("more than {MAX_STANZA} bytes"));
        }
        if text.contains('\0') {
            return self.refuse("line_broken", format!("line {number} holds a NUL"));
        }
        if text.starts_with([' ', '\t']) {
            let last = self
                .last
                .as_ref()
                .and_then(|name| self.fields.get_mut(name));
            match last {
                Some(value) => {
                    value.push('\n');
                    value.push_str(text.trim());
                }
                None => self.refuse("line_broken", format!("line {number} continues nothing")),
            }
            return;
        }
        let field = text.split_once(':').filter(|(name, _)| is_field(name));
        let Some((name, value)) = field else {
            return self.refuse(
                "line_broken",
                format!("line {number} is no \"Field: value\""),
            );
        };
        let name = name.to_ascii_lowercase();
        let known = self.fields.insert(name.clone(), value.trim().to_owned());
        if known.is_some() {
            self.refuse("field_twice", format!("line {number} repeats {name}"));
        }
        self.last = Some(name);
    }

    fn required(&self, name: &str) -> Result<&str, Refusal> {
        let value = self
            .fields
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::new("field_missing", format!("there is no {name}")))
    }

    fn record(self) -> Result<Box<Record>, Refusal> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let package = self.required("package")?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !crate::domains::catalog::model::is_slug(package) && !package.bytes().all(plain) {
            let detail = format!("{package:?} is no package name");
            return Err(Refusal::new("name_malformed", line(&detail, 200)));
        }
        let (summary, long) = description(self.required("description")?);
        Ok(Box::new(Record {
            origin: format!("debian:{package}"),
            slug: package.to_owned(),
            code: format!("debian.{package}"),
            kind: Kind::Package,
            name: package.to_owned(),
            summary,
            description: self.details(&long),
            version: line(self.required("version")?, 60),
            homepage: self.fields.get("homepage").and_then(|text| address(text)),
            spdx: None,
            vendor: vendor(self.required("maintainer")?)?,
            places: self.places(self.required("section")?),
            price: PriceDraft::plain(PriceModel::Free, 0, "EUR"),
        }))
    }

    /// The section first, then a category for each tag.
    fn places(&self, section: &str) -> Vec<Place> {
        let mut places = vec![sections::place(section)];
        let tags = self
            .fields
            .get("tag")
            .map(String::as_str)
            .unwrap_or_default();
        let tags = tags.split([',', '\n']).map(str::trim);
        for place in tags.filter_map(sections::tag).take(MAX_TAGS) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// The long description and the facts people compare packages by, as Markdown.
    fn details(&self, long: &str) -> String {
        let mut text = long.to_owned();
        for (field, title) in [
            ("source", "Source package"),
            ("architecture", "Architecture"),
            ("installed-size", "Installed size in KiB"),
            ("depends", "Depends on"),
        ] {
            if let Some(value) = self.fields.get(field) {
                if !text.is_empty() {
                    text.push_str("\n\n");
                }
                text.push_str(&format!("**{title}**: {}", line(value, 2000)));
            }
        }
        text
    }
}

fn is_field(name: &str) -> bool {
    (1..=60).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The first line, and the paragraphs after it (a lone point is an empty line).
fn description(text: &str) -> (String, String) {
    let (summary, long) = text.split_once('\n').unwrap_or((text, ""));
    let lines = long.lines().map(|text| if text == "." { "" } else { text });
    (line(summary, 200), lines.collect::<Vec<_>>().join("\n"))
}

/// `Name <address>`: the name is shown, both make the vendor.
fn vendor(text: &str) -> Result<Vendor, Refusal> {
    let name = text
        .split_once('<')
        .map_or(text, |(name, _)| name)
        .trim()
        .trim_matches('"');
    let name = line(name, 80);
    if name.is_empty() {
        return Err(Refusal::new("field_missing", "the maintainer has no name"));
    }
    Ok(Vendor {
        key: format!("debian:{}", text.trim()),
        name,
    })
}

impl<R: BufRead> Iterator for Packages<R> {
    type Item = std::io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut stanza = Stanza::default();
        let mut start = None;
        loop {
            let next = match self.0.next() {
                Ok(next) => next,
                Err(error) => return Some(Err(error)),
            };
            let number = self.0.number;
            match next {
                Some(Line::Text(text)) if text.trim().is_empty() => {
                    if start.is_some() {
                        break;
                    }
                    continue;
                }
                None => {
                    start?;
                    break;
                }
                Some(Line::Text(text)) => stanza.take(number, &text),
                Some(Line::TooLong) => {
                    stanza.refuse("too_large", format!("line {number} is longer than 64 KiB"));
                }
                Some(Line::NotUtf8) => {
                    stanza.refuse("not_utf8", format!("line {number} is not UTF-8"));
                }
            }
            start.get_or_insert(number);
        }
        let line = start?;
        Some(Ok(Item {
            line,
            outcome: stanza.record(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Package: 0ad\nVersion: 0.0.26-3\nMaintainer: Games Team <g@example.org>\n\
        Description: Strategy game\n Build an empire.\n .\n Then lose it.\n\
        Homepage: https://play.example/\nTag: game::strategy, interface::graphical,\n \
        special::auto, game::strategy\nSection: games\nArchitecture: amd64\n";

    fn read(text: impl AsRef<[u8]>) -> Vec<Item> {
        Packages::new(text.as_ref())
            .collect::<Result<_, _>>()
            .unwrap()
    }

    fn codes(text: impl AsRef<[u8]>) -> Vec<(u64, &'static str)> {
        let code = |item: Item| {
            (
                item.line,
                item.outcome.map_or_else(|why| why.code, |_| "good"),
            )
        };
        read(text).into_iter().map(code).collect()
    }

    #[test]
    fn a_stanza_becomes_a_record() {
        let record = read(GOOD)[0].outcome.clone().unwrap();
        assert_eq!(
            (record.slug.as_str(), record.code.as_str()),
            ("0ad", "debian.0ad")
        );
        assert_eq!(
            (record.summary.as_str(), record.vendor.name.as_str()),
            ("Strategy game", "Games Team")
        );
        assert!(
            record
                .description
                .starts_with("Build an empire.\n\nThen lose it.\n\n**Arch")
        );
        let paths: Vec<String> = record
            .places
            .iter()
            .map(|place| {
                place
                    .0
                    .iter()
                    .map(|(slug, _)| slug.as_str())
                    .collect::<Vec<_>>()
                    .join("/")
            })
            .collect();
        assert_eq!(
            paths,
            [
                "games",
                "topics/game/strategy",
                "topics/interface/graphical"
            ]
        );
    }

    #[test]
    fn a_broken_stanza_is_refused_and_the_next_is_read() {
        let missing = GOOD.replace("Version: 0.0.26-3\n", "");
        let text = format!(
            "{GOOD}\n{missing}\n\n\nPackage: x\nno colon here\n\n continues nothing\n\n{GOOD}\
             Package: again\n\nPackage: Not A Name\nVersion: 1\n\n{GOOD}"
        );
        assert_eq!(
            codes(text),
            [
                (1, "good"),
                (14, "field_missing"),
                (28, "line_broken"),
                (31, "line_broken"),
                (33, "field_twice"),
                (47, "name_malformed"),
                (50, "good"),
            ]
        );
    }

    #[test]
    fn sizes_and_encodings_are_bounded() {
        let long = format!("Package: x\nDepends: {}\n\n{GOOD}", "y".repeat(70_000));
        assert_eq!(codes(long), [(1, "too_large"), (4, "good")]);
        let many = format!("Package: x\nDepends: y\n{}\n{GOOD}", " z\n".repeat(300_000));
        assert_eq!(codes(&many)[0], (1, "too_large"));
        assert_eq!(codes(&many)[1].1, "good");
        let latin = [
            b"Package: x\nMaintainer: Jos\xe9\n\n".as_slice(),
            GOOD.as_bytes(),
        ]
        .concat();
        assert_eq!(codes(latin), [(1, "not_utf8"), (4, "good")]);
        assert_eq!(codes("Package: a\0b\n"), [(1, "line_broken")]);
        assert_eq!(codes(""), []);
        assert_eq!(codes("\n\n\n"), []);
    }

    #[test]
    fn any_cut_of_a_list_is_read_without_panic() {
        let text = format!("{GOOD}\n{GOOD}");
        for end in 0..text.len() {
            assert!(read(&text.as_bytes()[..end]).len() <= 2);
        }
    }
}
