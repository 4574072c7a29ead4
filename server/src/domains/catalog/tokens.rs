//! The tokenizer of the catalog: text in, the words an index holds or is asked for out.
//!
//! Both SQL engines are given finished tokens, so they find the same. Text is decomposed (NFKD),
//! accents are dropped, case is folded, words are split where letters and digits end, and each
//! word is kept as written and as its stem. Scripts written without spaces are cut into pairs of
//! characters (bigrams), and into single ones for the index, so that a question of one character
//! finds.
//!
//! An indexed token starts with the letter of where it may be found: `a` in the name, `b` in the
//! name or the summary, `c` anywhere. A question for one of these needs no support from the
//! engine but "all of these tokens".

use rust_stemmers::{Algorithm, Stemmer};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

/// Most words of a question; later ones are left out.
const MAX_QUESTION: usize = 12;
/// Most tokens of one product.
const MAX_TOKENS: usize = 3000;
/// Longest word kept, in characters: longer ones are no words.
const MAX_WORD: usize = 40;

/// Where a token may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// In the name.
    Name,
    /// In the name or the summary.
    Brief,
    /// Anywhere.
    Any,
}

impl Field {
    const fn letter(self) -> char {
        match self {
            Self::Name => 'a',
            Self::Brief => 'b',
            Self::Any => 'c',
        }
    }
}

/// Text with accents dropped and case folded: what names are sorted and compared by.
pub fn fold(text: &str) -> String {
    text.nfkd()
        .filter(|c| !is_accent(*c))
        .nfc()
        .flat_map(char::to_lowercase)
        .collect()
}

/// Marks that people leave out when they type; the vowel signs of other scripts stay.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{652}' | '\u{670}')
}

/// Scripts whose words have no spaces between them.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3134f}')
}

fn algorithm(language: &str) -> Option<Algorithm> {
    Some(match language {
        "ar" => Algorithm::Arabic,
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "en" => Algorithm::English,
        "es" => Algorithm::Spanish,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "it" => Algorithm::Italian,
        "nl" => Algorithm::Dutch,
        "no" => Algorithm::Norwegian,
        "pt" => Algorithm::Portuguese,
        "ru" => Algorithm::Russian,
        "sv" => Algorithm::Swedish,
        "tr" => Algorithm::Turkish,
        _ => return None,
    })
}

/// One tokenizer, for one language's stems.
pub(crate) struct Tokenizer(Option<Stemmer>);

impl Tokenizer {
    /// For an ISO 639-1 language; one without stemmer keeps words as they are.
    pub(crate) fn new(language: &str) -> Self {
        Self(algorithm(language).map(Stemmer::create))
    }

    fn stem(&self, word: &str) -> String {
        match &self.0 {
            Some(stemmer) => stemmer.stem(word).into_owned(),
            None => word.to_owned(),
        }
    }

    /// What the index holds for a product: its tokens, each once, sorted, joined by spaces.
    pub(crate) fn index(&self, name: &str, summary: &str, description: &str) -> String {
        let mut tokens = BTreeSet::new();
        for (text, fields) in [
            (name, &[Field::Name, Field::Brief, Field::Any][..]),
            (summary, &[Field::Brief, Field::Any]),
            (description, &[Field::Any]),
        ] {
            for word in words(text) {
                if tokens.len() >= MAX_TOKENS {
                    break;
                }
                for form in self.forms(&word) {
                    tokens.extend(fields.iter().map(|at| format!("{}{form}", at.letter())));
                }
            }
        }
        tokens.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// The forms under which a word is indexed: itself and its stem, or its bigrams.
    fn forms(&self, word: &str) -> Vec<String> {
        if word.starts_with(is_unspaced) {
            let single = word.chars().map(String::from);
            return single.chain(bigrams(word)).collect();
        }
        let stem = self.stem(word);
        if stem == word {
            vec![stem]
        } else {
            vec![word.to_owned(), stem]
        }
    }

    /// The terms of a question in order, without repeats: stems and bigrams.
    pub(crate) fn terms(&self, text: &str) -> Vec<String> {
        let mut terms: Vec<String> = Vec::new();
        for word in words(text) {
            let forms = match word.starts_with(is_unspaced) {
                true if word.chars().count() > 1 => bigrams(&word).collect(),
                true => vec![word],
                false => vec![self.stem(&word)],
            };
            for form in forms {
                if terms.len() < MAX_QUESTION && !terms.contains(&form) {
                    terms.push(form);
                }
            }
        }
        terms
    }
}

/// The words that find something with this name, sentence and further text, in an index that knows no
/// places; English, as the shop's search asks.
pub(crate) fn found_by(name: &str, summary: &str, more: &str) -> Vec<String> {
    let indexed = Tokenizer::new("en").index(name, summary, more);
    let anywhere = |token: &str| token.strip_prefix(Field::Any.letter()).map(str::to_owned);
    indexed.split(' ').filter_map(anywhere).collect()
}

/// The words that a question asks such an index for.
pub(crate) fn asked(text: &str) -> Vec<String> {
    Tokenizer::new("en").terms(text)
}

/// The question that every term stands at `field`, as both engines read it.
pub(crate) fn question(terms: &[String], field: Field) -> String {
    let letter = field.letter();
    let tokens = terms.iter().map(|term| format!("{letter}{term}"));
    tokens.collect::<Vec<_>>().join(" ")
}

/// The question for a name with a word that begins as the last word of `text`, as somebody is
/// still typing it. `None` for scripts without spaces and for a single character.
pub(crate) fn beginning(terms: &[String], text: &str) -> Option<String> {
    let last = words(text).last()?;
    let (_, before) = terms.split_last()?;
    if last.starts_with(is_unspaced) || last.chars().count() < 2 {
        return None;
    }
    let mut tokens = question(before, Field::Name);
    if !tokens.is_empty() {
        tokens.push(' ');
    }
    Some(format!("{tokens}{}{last}*", Field::Name.letter()))
}

fn bigrams(word: &str) -> impl Iterator<Item = String> {
    let chars: Vec<char> = word.chars().collect();
    let pairs: Vec<String> = chars.windows(2).map(|pair| pair.iter().collect()).collect();
    pairs.into_iter()
}

/// The words of a text, folded; runs of scripts without spaces come out whole.
fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    let mut found = Vec::new();
    let mut word = String::new();
    let mut chars = folded.chars().peekable();
    while let Some(c) = chars.next() {
        let breaks = word
            .chars()
            .next_back()
            .is_some_and(|last| is_unspaced(last) != is_unspaced(c));
        if breaks && !is_mark_within(c) {
            found.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() || (is_mark_within(c) && !word.is_empty()) {
            word.push(c);
            continue;
        }
        // The two languages whose names end in signs.
        match (c, word.as_str()) {
            ('+', "c" | "g") if chars.peek() == Some(&'+') => word.push_str("plusplus"),
            ('#', "c" | "f") => word.push_str("sharp"),
            _ => {}
        }
        found.push(std::mem::take(&mut word));
    }
    found.push(word);
    found
        .into_iter()
        .filter(|word| !word.is_empty() && word.chars().count() <= MAX_WORD)
}

/// Vowel signs and joiners that belong to the letter before them.
fn is_mark_within(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        Tokenizer::new("en").terms(text)
    }

    /// Whether a question typed in `language` finds an indexed text in the same language.
    fn finds(language: &str, text: &str, question_text: &str) -> bool {
        let tokenizer = Tokenizer::new(language);
        let index = tokenizer.index(text, "", "");
        let indexed: Vec<&str> = index.split(' ').collect();
        let asked = tokenizer.terms(question_text);
        let asked = question(&asked, Field::Name);
        !asked.is_empty() && asked.split(' ').all(|token| indexed.contains(&token))
    }

    #[test]
    fn case_accents_widths_and_stems_are_folded() {
        assert_eq!(fold("Ünïcode ﬁle Ｗide"), "unicode file wide");
        assert_eq!(terms("Editors EDITOR's edited"), ["editor", "s", "edit"]);
        assert!(finds("en", "Image editors", "editor IMAGES"));
        assert!(finds("fr", "Éditeurs de café", "cafe editeur"));
        assert!(finds("de", "Häuser", "hauser"));
        assert!(finds("es", "Canciones", "cancion"));
        assert!(!finds("en", "Image editors", "editor video"));
    }

    #[test]
    fn scripts_without_spaces_are_found_by_parts() {
        assert!(finds("ja", "画像編集ソフト", "編集"));
        assert!(finds("ja", "画像編集ソフト", "像"));
        assert!(finds("ja", "PDF編集", "pdf 編集"));
        assert!(!finds("ja", "画像編集ソフト", "編画"));
    }

    #[test]
    fn other_scripts_keep_their_vowel_signs() {
        assert!(finds("hi", "हिन्दी संपादक", "हिन्दी"));
        assert!(!finds("hi", "हिन्दी", "हन्दी"));
        assert!(finds("ar", "مُحَرِّر", "محرر"));
    }

    #[test]
    fn signs_split_words_and_language_names_survive() {
        assert_eq!(terms("libfoo-dev_2.0"), ["libfoo", "dev", "2", "0"]);
        assert_eq!(
            terms("C++ and C#, not c"),
            ["cplusplus", "and", "csharp", "not", "c"]
        );
        assert!(finds("en", "g++-12", "g++"));
    }

    #[test]
    fn fields_are_told_apart() {
        let index = Tokenizer::new("en").index("Alpha", "Beta", "Gamma");
        assert_eq!(index, "aalpha balpha bbeta calpha cbeta cgamma");
        assert_eq!(question(&["beta".into()], Field::Brief), "bbeta");
        let typed = "open edit";
        assert_eq!(
            beginning(&terms(typed), typed).as_deref(),
            Some("aopen aedit*")
        );
        assert_eq!(beginning(&terms("e"), "e"), None);
        assert_eq!(beginning(&terms(""), ""), None);
    }

    #[test]
    fn nothing_breaks_out_of_a_question() {
        for text in [
            "",
            "\"",
            "a\"b",
            "NEAR(x y)",
            "a AND NOT b*",
            ":x -y ^z",
            "' | &",
            "\u{0}",
        ] {
            for term in terms(text) {
                assert!(
                    term.chars().all(|c| c.is_alphanumeric()),
                    "{text:?} gave {term:?}"
                );
                assert_eq!(term, term.to_lowercase());
            }
        }
        assert_eq!(terms(&"word ".repeat(100)), ["word"]);
        let many: String = (0..100).map(|n| format!("w{n} ")).collect();
        assert_eq!(terms(&many).len(), MAX_QUESTION);
        assert!(terms(&"x".repeat(500)).is_empty());
    }
}
