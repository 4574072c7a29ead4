//! What every page shares: language, head, header, footer.

use super::assets;
use super::format::Format;
use super::parts::{Crumbs, Notice, Tone};
use crate::text::{Locale, Translator, Value};

/// Who is signed in, as the header says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// How to call them.
    pub name: String,
    /// Whether they sell.
    pub sells: bool,
    /// Whether they run the platform.
    pub owns: bool,
}

/// Where the visitor is, for the header's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Section {
    /// Browsing.
    #[default]
    Shop,
    /// Own licenses.
    Licenses,
    /// Own usage.
    Usage,
    /// Offline activation.
    Activate,
    /// Selling.
    Sell,
    /// Running the platform.
    Owner,
}

/// The frame around a page's own content.
#[derive(Clone)]
pub struct Page {
    /// Says sentences.
    pub words: &'static Translator,
    /// Writes numbers, money and dates.
    pub format: Format,
    /// The window's title without the shop's name.
    pub title: String,
    /// A sentence for search engines.
    pub description: String,
    /// The page's one true address, absolute; empty for pages that search engines should skip.
    pub canonical: String,
    /// schema.org data as JSON, escaped for a script element; empty for none.
    pub json_ld: String,
    /// Who is signed in.
    pub person: Option<Person>,
    /// Sent back with every form of this page.
    pub csrf: String,
    /// What stands in the search box.
    pub query: String,
    /// The part of the shop.
    pub section: Section,
    /// Seconds until the page asks again by itself; 0 for never.
    pub refresh: u32,
    /// How many units lie in the visitor's cart.
    pub in_cart: i64,
    /// Whether money is play money.
    pub demo: bool,
    /// What just happened, over the content.
    pub notice: Option<Notice>,
}

impl Page {
    /// An empty frame in one language.
    pub fn new(locale: Locale, title: &str) -> Self {
        let words = Translator::of(locale);
        Self {
            words,
            format: Format::new(words),
            title: words.say(title),
            description: String::new(),
            canonical: String::new(),
            json_ld: String::new(),
            person: None,
            csrf: String::new(),
            query: String::new(),
            section: Section::Shop,
            refresh: 0,
            in_cart: 0,
            demo: false,
            notice: None,
        }
    }

    /// The sentence of `key`.
    pub fn say(&self, key: &str) -> String {
        self.words.say(key)
    }

    /// The sentence of `key` with one value.
    pub fn say_one<'v>(&self, key: &str, name: &'v str, value: impl Into<Value<'v>>) -> String {
        self.words.say_one(key, name, value)
    }

    /// How many things are in the cart, in words.
    pub fn in_cart_text(&self) -> String {
        self.say_one("cart-count", "count", self.in_cart)
    }

    /// For `lang=`.
    pub fn lang(&self) -> &'static str {
        self.words.locale().tag()
    }

    /// For `dir=`.
    pub fn dir(&self) -> &'static str {
        self.words.locale().direction()
    }

    /// The address of a compiled-in file.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// `page` when `section` is where the visitor is.
    pub fn at(&self, section: Section) -> bool {
        self.section == section
    }

    /// A way up under its translated name.
    pub fn crumbs(&self, steps: Vec<(String, String)>, here: &str) -> Crumbs {
        Crumbs::new(self.say("crumbs"), steps, here.to_owned())
    }

    /// Puts a sentence over the content.
    pub fn tell(&mut self, tone: Tone, text: String) {
        self.notice = Some(Notice::new(tone, text));
    }
}

/// JSON as it may stand in a script element: no `<` can end it early.
pub fn script_safe(json: &serde_json::Value) -> String {
    json.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_for_search_engines_can_not_end_its_element() {
        let json = serde_json::json!({ "name": "</script><script>alert(1)</script>" });
        let text = script_safe(&json);
        assert!(!text.contains('<'), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            json
        );
    }
}
