//! The translator, and the promise that keys and sentences match.

use super::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn the_best_accepted_language_wins() {
    for (header, expected) in [
        ("", Locale::English),
        ("en-GB,en;q=0.9", Locale::English),
        ("qps-plocm", Locale::Pseudo),
        ("en;q=0.5, QPS-PLOCM;q=0.8", Locale::Pseudo),
        ("qps-plocm;q=0, xx", Locale::English),
        ("qps-plocm;q=rubbish", Locale::English),
        (";;;,,,q=", Locale::English),
    ] {
        assert_eq!(Locale::negotiate(header), expected, "{header:?}");
    }
}

#[test]
fn values_are_filled_in_and_plurals_agree() {
    let english = Translator::of(Locale::English);
    assert_eq!(english.say_one("count-results", "count", 1), "1 product");
    assert_eq!(english.say_one("count-results", "count", 12), "12 products");
    let pseudo = Translator::of(Locale::Pseudo).say_one("count-results", "count", 1);
    assert!(
        pseudo.starts_with(pseudo::OPEN) && pseudo.ends_with(pseudo::CLOSE),
        "{pseudo}"
    );
    assert!(pseudo.contains("pröd"), "{pseudo}");
}

#[test]
fn a_key_that_does_not_exist_is_said_as_itself() {
    assert_eq!(
        Translator::of(Locale::English).say("absent-key"),
        "absent-key"
    );
}

#[test]
fn locale_files_have_no_unreadable_line_and_no_repeated_key() {
    let mut keys = BTreeSet::new();
    for (file, source) in ENGLISH {
        FluentResource::try_new((*source).to_owned())
            .unwrap_or_else(|(_, errors)| panic!("{file}: {errors:?}"));
        for key in keys_of(source) {
            assert!(keys.insert(key), "{key} is repeated in {file}");
        }
    }
}

#[test]
fn every_key_named_exists_and_every_key_is_named() {
    let sources = sources();
    let known: BTreeSet<&str> = ENGLISH.iter().flat_map(|(_, text)| keys_of(text)).collect();
    let quoted: BTreeSet<&str> = sources.iter().flat_map(|text| quoted_in(text)).collect();
    // A problem's sentence is found by the problem's code, which the domains own.
    let begun: BTreeSet<&str> = sources.iter().flat_map(|text| begun_in(text)).collect();
    let computed = |key: &&&str| {
        key.starts_with("problem-") || begun.iter().any(|begin| key.starts_with(begin))
    };
    let unused: Vec<_> = known
        .difference(&quoted)
        .filter(|key| !computed(key))
        .collect();
    assert!(unused.is_empty(), "sentences nobody says: {unused:?}");
    let said: BTreeSet<&str> = sources.iter().flat_map(|text| said_in(text)).collect();
    assert!(!said.is_empty(), "found no say(\"…\") in the sources");
    let missing: Vec<_> = said.difference(&known).collect();
    assert!(missing.is_empty(), "keys without a sentence: {missing:?}");
}

/// The identifiers that begin a line of a Fluent file.
fn keys_of(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_once('=').map(|(key, _)| key.trim()))
}

/// Templates, and the source of everything but these tests.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["src", "templates"] {
        read_folder(&root.join(folder), &mut texts);
    }
    texts
}

fn read_folder(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_folder(&path, texts);
        } else if !path.ends_with("text/tests.rs") {
            texts.push(fs::read_to_string(&path).expect("a readable file"));
        }
    }
}

/// Everything between two double quotes on one line that could be a key.
fn quoted_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('"'))
        .filter(|part| {
            let key = |letter: char| {
                letter.is_ascii_lowercase() || "-_".contains(letter) || letter.is_ascii_digit()
            };
            !part.is_empty() && part.chars().all(key)
        })
}

/// What stands before the part of a key that is only known at run time: `format!("state-{}`.
fn begun_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("format!(\"")
        .skip(1)
        .filter_map(|rest| rest.split_once("-{").map(|(begin, _)| begin))
        .filter(|begin| {
            begin.len() > 3 && begin.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        })
}

/// The keys in `say("…`, `say_with("…` and `say_one("…`.
fn said_in(text: &str) -> impl Iterator<Item = &str> {
    ["say(", "say_with(", "say_one("]
        .into_iter()
        .flat_map(move |call| text.split(call).skip(1).filter_map(quoted_first))
}

/// The text in quotes that a call begins with; calls with a computed key have none.
fn quoted_first(call: &str) -> Option<&str> {
    call.trim_start().strip_prefix('"')?.split('"').next()
}
