//! A letter: what is said, before it is text or HTML. Pure.

use crate::text::{Locale, Translator};
use askama::Template;

/// Something to look at: a label and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// The value, as people read it.
    pub value: String,
    /// Whether it is a code that people copy.
    pub code: bool,
}

/// Somewhere to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What is there.
    pub label: String,
    /// Its address.
    pub url: String,
}

/// What is said to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The language it is said in.
    pub locale: Locale,
    /// The subject line.
    pub subject: String,
    /// Sentences that come first.
    pub intro: Vec<String>,
    /// What to look at.
    pub facts: Vec<Fact>,
    /// Where to go.
    pub actions: Vec<Action>,
    /// Sentences that come last.
    pub outro: Vec<String>,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    letter: &'a Letter,
    sender: &'a str,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Plain<'a> {
    letter: &'a Letter,
    sender: &'a str,
}

impl Letter {
    /// Nothing yet, in `locale`, under a subject.
    pub fn new(locale: Locale, subject: String) -> Self {
        Self {
            locale,
            subject,
            intro: Vec::new(),
            facts: Vec::new(),
            actions: Vec::new(),
            outro: Vec::new(),
        }
    }

    /// The translator of its language.
    pub fn words(&self) -> &'static Translator {
        Translator::of(self.locale)
    }

    /// Adds something to look at.
    pub fn fact(&mut self, label: String, value: impl ToString) {
        self.facts.push(Fact {
            label,
            value: value.to_string(),
            code: false,
        });
    }

    /// Adds a code to copy.
    pub fn code(&mut self, label: String, value: impl ToString) {
        self.facts.push(Fact {
            label,
            value: value.to_string(),
            code: true,
        });
    }

    /// Adds somewhere to go.
    pub fn action(&mut self, label: String, url: String) {
        self.actions.push(Action { label, url });
    }

    /// As HTML, signed by `sender`.
    pub fn to_html(&self, sender: &str) -> Result<String, askama::Error> {
        Html {
            letter: self,
            sender,
        }
        .render()
    }

    /// As plain text, signed by `sender`.
    pub fn to_plain(&self, sender: &str) -> Result<String, askama::Error> {
        Plain {
            letter: self,
            sender,
        }
        .render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_html_say_the_same_and_html_escapes() {
        let mut letter = Letter::new(Locale::English, "A <subject>".into());
        letter.intro.push("Hello & welcome".into());
        letter.code("Key".into(), "ACM-<1>");
        letter.action("Open".into(), "https://shop.example/o?a=1&b=2".into());
        letter.outro.push("Bye".into());
        let plain = letter.to_plain("Mintreu").expect("renders");
        for said in [
            "Hello & welcome",
            "Key: ACM-<1>",
            "Open: https://shop.example/o?a=1&b=2",
            "Bye",
            "Mintreu",
        ] {
            assert!(plain.contains(said), "{said} in {plain}");
        }
        let html = letter.to_html("Mintreu").expect("renders");
        assert!(
            html.contains("Hello &#38; welcome") && html.contains("ACM-&#60;1&#62;"),
            "{html}"
        );
        assert!(html.contains("lang=\"en\" dir=\"ltr\"") && !html.contains("<1>"));
    }
}
