//! A form field: its label, what was typed, its rule and its mistake.

use askama::Template;
use askama::filters::HtmlSafe;
use mintreu::Currency;

/// One of a field's choices.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub text: String,
}

/// Currencies that most sellers look for.
const USUAL: [&str; 8] = ["EUR", "USD", "GBP", "JPY", "INR", "BDT", "BRL", "KES"];

/// Every currency: the usual ones first, then the others by their codes.
pub fn currencies() -> Vec<Choice> {
    let mut others: Vec<_> = Currency::codes()
        .filter(|code| !USUAL.contains(code))
        .collect();
    others.sort_unstable();
    let choice = |code: &str| Choice {
        value: code.to_owned(),
        text: code.to_owned(),
    };
    USUAL.into_iter().chain(others).map(choice).collect()
}

/// A labelled input. What was typed survives a refused form, and the mistake stands at the field,
/// tied to it for screen readers.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/field.html")]
pub struct Field {
    name: &'static str,
    label: String,
    kind: &'static str,
    value: String,
    hint: Option<String>,
    error: Option<String>,
    required: bool,
    class: &'static str,
    autocomplete: &'static str,
    input_mode: &'static str,
    max_length: u32,
    choices: Vec<Choice>,
}

impl HtmlSafe for Field {}

impl Field {
    fn of(kind: &'static str, name: &'static str, label: String) -> Self {
        Self {
            name,
            label,
            kind,
            value: String::new(),
            hint: None,
            error: None,
            required: false,
            class: "",
            autocomplete: "off",
            input_mode: "",
            max_length: 0,
            choices: Vec::new(),
        }
    }

    /// A line of text.
    pub fn text(name: &'static str, label: String) -> Self {
        Self::of("text", name, label)
    }

    /// An e-mail address.
    pub fn email(name: &'static str, label: String) -> Self {
        Self::of("email", name, label).autocomplete("email")
    }

    /// A day of the calendar.
    pub fn date(name: &'static str, label: String) -> Self {
        Self::of("date", name, label)
    }

    /// A password; its value is never sent back.
    pub fn password(name: &'static str, label: String) -> Self {
        Self::of("password", name, label)
    }

    /// Several lines.
    pub fn area(name: &'static str, label: String) -> Self {
        Self::of("area", name, label)
    }

    /// One of `choices`.
    pub fn select(name: &'static str, label: String, choices: Vec<Choice>) -> Self {
        Self {
            choices,
            ..Self::of("select", name, label)
        }
    }

    /// What stands in it.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// Its rule or an example.
    #[must_use]
    pub fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What is wrong with it.
    #[must_use]
    pub fn error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    /// It can't stay empty.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It spans both columns of its form.
    #[must_use]
    pub fn full(mut self) -> Self {
        self.class = "full";
        self
    }

    /// What a browser may fill in.
    #[must_use]
    pub fn autocomplete(mut self, token: &'static str) -> Self {
        self.autocomplete = token;
        self
    }

    /// Which keyboard a phone shows.
    #[must_use]
    pub fn input_mode(mut self, mode: &'static str) -> Self {
        self.input_mode = mode;
        self
    }

    /// Most characters.
    #[must_use]
    pub fn max_length(mut self, characters: u32) -> Self {
        self.max_length = characters;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_tied_to_its_field_and_what_was_typed_is_kept() {
        let field = Field::email("email", "E-mail".to_owned())
            .value("a\"<b")
            .hint("We send the key there.".to_owned())
            .error(Some("Not an address.".to_owned()))
            .required();
        let text = field.to_string();
        assert!(
            text.contains("aria-describedby=\"email-hint email-error\""),
            "{text}"
        );
        assert!(text.contains("aria-invalid=\"true\""), "{text}");
        assert!(text.contains("id=\"email-error\""), "{text}");
        assert!(!text.contains("a\"<b"), "{text}");
        assert!(text.contains(" required"), "{text}");
    }
}
