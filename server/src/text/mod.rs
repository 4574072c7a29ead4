//! What people read: locales and the translated sentences of pages and mail.
//!
//! Sentences live in `locales/<language>/*.ftl` (Fluent) under a key; templates and code name keys
//! only. All files are compiled in, so a running server can't lack one.
//!
//! # Invariants
//!
//! * Every key that code or a template names exists in `en`, and every key in `en` is named
//!   somewhere: the tests below read the sources and check both.
//! * Text comes out plain, never as markup: templates escape it.
//! * The pseudo-locale is made from `en` at start-up: accents show untranslated text, brackets show
//!   where a sentence begins and ends (text glued from pieces stands out), and it runs from right
//!   to left, so that a layout with a fixed side breaks visibly.
//!
//! Start reading at [`Locale::negotiate`], then [`Translator::say`].

mod pseudo;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;
use unic_langid::LanguageIdentifier;

pub use fluent_bundle::FluentValue as Value;

/// The English sentences, file by file.
const ENGLISH: &[(&str, &str)] = &[
    (
        "affiliates",
        include_str!("../../locales/en/affiliates.ftl"),
    ),
    ("account", include_str!("../../locales/en/account.ftl")),
    ("common", include_str!("../../locales/en/common.ftl")),
    ("shop", include_str!("../../locales/en/shop.ftl")),
    ("licenses", include_str!("../../locales/en/licenses.ftl")),
    ("methods", include_str!("../../locales/en/methods.ftl")),
    ("sell", include_str!("../../locales/en/sell.ftl")),
    ("sellers", include_str!("../../locales/en/sellers.ftl")),
    (
        "subscriptions",
        include_str!("../../locales/en/subscriptions.ftl"),
    ),
    ("desk", include_str!("../../locales/en/desk.ftl")),
    ("offers", include_str!("../../locales/en/offers.ftl")),
    ("bundles", include_str!("../../locales/en/bundles.ftl")),
    ("orders", include_str!("../../locales/en/orders.ftl")),
    ("gifts", include_str!("../../locales/en/gifts.ftl")),
    ("mail", include_str!("../../locales/en/mail.ftl")),
    ("owner", include_str!("../../locales/en/owner.ftl")),
    ("risk", include_str!("../../locales/en/risk.ftl")),
    ("facts", include_str!("../../locales/en/facts.ftl")),
    ("sandbox", include_str!("../../locales/en/sandbox.ftl")),
    ("trials", include_str!("../../locales/en/trials.ftl")),
    ("renewing", include_str!("../../locales/en/renewing.ftl")),
    ("tax", include_str!("../../locales/en/tax.ftl")),
    ("papers", include_str!("../../locales/en/papers.ftl")),
    ("evidence", include_str!("../../locales/en/evidence.ftl")),
];

/// A language with its region's habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Locale {
    /// English.
    #[default]
    English,
    /// The mirrored pseudo-locale, for tests and for eyes looking for untranslated text.
    Pseudo,
}

impl Locale {
    /// All of them, the default first.
    pub const ALL: &'static [Locale] = &[Locale::English, Locale::Pseudo];

    /// The BCP 47 tag, for `lang=` and `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Pseudo => "qps-plocm",
        }
    }

    /// `ltr` or `rtl`, for `dir=`.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::English => "ltr",
            Self::Pseudo => "rtl",
        }
    }

    /// The locale of exactly this tag, whatever its case.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let tag = tag.trim();
        let same = |locale: &&Self| locale.tag().eq_ignore_ascii_case(tag);
        Self::ALL.iter().find(same).copied()
    }

    /// The best locale for an `Accept-Language` header (RFC 9110, section 12.5.4).
    ///
    /// A range matches its own tag, or the tag of its first subtag (`en-GB` is served by `en`).
    /// Unreadable entries are passed over; nothing that fits means English.
    pub fn negotiate(accept_language: &str) -> Self {
        let mut best: Option<(u16, Self)> = None;
        for entry in accept_language.split(',').take(32) {
            let (range, weight) = weighted(entry);
            let language = range.split('-').next().unwrap_or(range);
            let locale = Self::from_tag(range).or_else(|| Self::from_tag(language));
            let Some(locale) = locale.filter(|_| weight > 0) else {
                continue;
            };
            if best.is_none_or(|(heaviest, _)| weight > heaviest) {
                best = Some((weight, locale));
            }
        }
        best.map(|(_, locale)| locale).unwrap_or_default()
    }
}

/// A language range and its weight in thousandths; an unreadable weight counts as none.
fn weighted(entry: &str) -> (&str, u16) {
    let (range, parameter) = entry.split_once(';').unwrap_or((entry, "q=1"));
    let digits = parameter.trim().strip_prefix("q=").unwrap_or("0");
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let thousandths = format!("{fraction:0<3}");
    let weight = match (whole, thousandths.get(..3).map(str::parse::<u16>)) {
        ("1", _) => 1000,
        ("0", Some(Ok(part))) => part,
        _ => 0,
    };
    (range.trim(), weight)
}

/// Says sentences in one locale.
pub struct Translator {
    locale: Locale,
    bundle: FluentBundle<FluentResource>,
    /// Sentences that hold no value, as they are said every time.
    fixed: HashMap<&'static str, String>,
}

static ENGLISH_SENTENCES: LazyLock<Translator> = LazyLock::new(|| Translator::new(Locale::English));
static PSEUDO_SENTENCES: LazyLock<Translator> = LazyLock::new(|| Translator::new(Locale::Pseudo));

impl Translator {
    /// The translator of `locale`.
    pub fn of(locale: Locale) -> &'static Self {
        match locale {
            Locale::English => &ENGLISH_SENTENCES,
            Locale::Pseudo => &PSEUDO_SENTENCES,
        }
    }

    fn new(locale: Locale) -> Self {
        // Plural rules of the pseudo-locale are those of the English it is made from.
        let english = LanguageIdentifier::from_bytes(b"en").unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![english]);
        // Marks around inserted text matter only where directions can mix.
        bundle.set_use_isolating(locale.direction() == "rtl");
        if locale == Locale::Pseudo {
            bundle.set_transform(Some(pseudo::accented));
        }
        for (file, source) in ENGLISH {
            // A broken line is found by the tests; what can be read is served.
            let resource = match FluentResource::try_new((*source).to_owned()) {
                Ok(resource) => resource,
                Err((readable, errors)) => {
                    tracing::error!(file, ?errors, "a locale file has unreadable lines");
                    readable
                }
            };
            if let Err(errors) = bundle.add_resource(resource) {
                tracing::error!(file, ?errors, "a locale file repeats keys");
            }
        }
        let mut made = Self {
            locale,
            bundle,
            fixed: HashMap::new(),
        };
        // A message begins its line; what belongs to it is indented.
        let lines = ENGLISH.iter().flat_map(|(_, source)| source.lines());
        let keys = lines.filter_map(|line| Some(line.split_once(" =")?.0));
        made.fixed = keys
            .filter_map(|key| Some((key, made.said_alone(key)?)))
            .collect();
        made
    }

    /// The sentence of `key`, if it holds no value.
    fn said_alone(&self, key: &str) -> Option<String> {
        let message = self.bundle.get_message(key)?;
        let mut lacking = Vec::new();
        let text = self
            .bundle
            .format_pattern(message.value()?, None, &mut lacking);
        lacking.is_empty().then(|| self.finished(text))
    }

    /// The locale spoken.
    pub fn locale(&self) -> Locale {
        self.locale
    }

    /// The sentence of `key`.
    pub fn say(&self, key: &str) -> String {
        match self.fixed.get(key) {
            Some(text) => text.clone(),
            None => self.say_with(key, []),
        }
    }

    /// The sentence of `key` with one value filled in: what templates use.
    pub fn say_one<'v>(&self, key: &str, name: &'v str, value: impl Into<Value<'v>>) -> String {
        self.say_with(key, [(name, value.into())])
    }

    /// The sentence of `key` with named values filled in. Amounts and dates come ready formatted;
    /// give numbers as numbers, so that plurals agree.
    ///
    /// A key that doesn't exist is said as itself: ugly, visible, and never an error page.
    pub fn say_with<'v, const N: usize>(
        &self,
        key: &str,
        values: [(&'v str, Value<'v>); N],
    ) -> String {
        let arguments: FluentArgs<'v> = values.into_iter().collect();
        let pattern = self
            .bundle
            .get_message(key)
            .and_then(|message| message.value());
        let Some(pattern) = pattern else {
            tracing::error!(key, "no such sentence");
            return key.to_owned();
        };
        let mut errors = Vec::new();
        let text = self
            .bundle
            .format_pattern(pattern, Some(&arguments), &mut errors);
        if !errors.is_empty() {
            tracing::error!(key, ?errors, "a sentence lacks a value");
        }
        self.finished(text)
    }

    fn finished(&self, text: Cow<'_, str>) -> String {
        match self.locale {
            Locale::Pseudo => pseudo::bracketed(&text),
            Locale::English => text.into_owned(),
        }
    }

    /// Whether `key` exists.
    pub fn knows(&self, key: &str) -> bool {
        self.bundle.has_message(key)
    }
}

#[cfg(test)]
mod tests;
