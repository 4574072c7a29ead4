//! What pages are built from: small views with a small template each. A part prints itself as
//! finished markup, so a page writes `{{ part }}`.
//!
//! # Invariants
//! * Values are escaped by the part's own template; only [`Icon`]s and drawings made of numbers are
//!   printed as they are.
//! * A part that shows something also says it in words.

mod chart;
mod cover;
mod field;

pub use chart::{Bar, Chart, ChartWords, Point};
pub use cover::Cover;
pub use field::{Choice, Field, currencies};

use askama::Template;
use askama::filters::HtmlSafe;
use std::fmt;

/// A drawing from the icon set; always beside a text.
#[derive(Debug, Clone, Copy)]
pub struct Icon(&'static str);

impl HtmlSafe for Icon {}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! icons {
    ($($(#[$meta:meta])* $name:ident = $file:literal,)*) => {
        impl Icon {
            $($(#[$meta])* pub const $name: Icon = Icon(include_str!(concat!("../../../templates/icons/", $file, ".svg")));)*
        }
    };
}

icons! {
    /// An API product.
    API = "braces",
    /// A consultation.
    CONSULTATION = "calendar-clock",
    /// A download.
    DOWNLOAD = "download",
    /// A package.
    PACKAGE = "package",
    /// A subscription.
    SUBSCRIPTION = "refresh-cw",
    /// Something went well.
    GOOD = "circle-check",
    /// Something is under way.
    WAIT = "clock",
    /// Something went wrong.
    BAD = "circle-alert",
    /// Something to know.
    INFO = "info",
}

/// How a state feels: it picks the colour; the text says which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing to do.
    Plain,
    /// Done, in force.
    Good,
    /// Held or pending.
    Wait,
    /// Refused, over.
    Bad,
    /// To know.
    Info,
}

impl Tone {
    /// The style sheet's class.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "good",
            Self::Wait => "wait",
            Self::Bad => "bad",
            Self::Info => "info",
        }
    }

    const fn icon(self) -> Icon {
        match self {
            Self::Good => Icon::GOOD,
            Self::Wait => Icon::WAIT,
            Self::Bad => Icon::BAD,
            Self::Plain | Self::Info => Icon::INFO,
        }
    }
}

/// A state in a word or two.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/badge.html")]
pub struct Badge {
    tone: &'static str,
    icon: Option<Icon>,
    text: String,
}

impl HtmlSafe for Badge {}

impl Badge {
    /// A state.
    pub fn new(tone: Tone, text: String) -> Self {
        Self {
            tone: tone.class(),
            icon: None,
            text,
        }
    }

    /// What kind of thing this is.
    pub fn with_icon(icon: Icon, text: String) -> Self {
        Self {
            tone: "",
            icon: Some(icon),
            text,
        }
    }
}

/// A sentence that stands out, over what it is about.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/notice.html")]
pub struct Notice {
    tone: &'static str,
    icon: Icon,
    text: String,
    /// `alert` for what just went wrong, so that it is read out at once.
    role: &'static str,
}

impl HtmlSafe for Notice {}

impl Notice {
    /// A sentence.
    pub fn new(tone: Tone, text: String) -> Self {
        let role = if tone == Tone::Bad { "alert" } else { "status" };
        Self {
            tone: tone.class(),
            icon: tone.icon(),
            text,
            role,
        }
    }
}

/// A way up: name and address of each step; the last is where one is.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/crumbs.html")]
pub struct Crumbs {
    label: String,
    steps: Vec<(String, String)>,
    here: String,
}

impl HtmlSafe for Crumbs {}

impl Crumbs {
    /// `label` names the list; `steps` are (name, address) from the top.
    pub fn new(label: String, steps: Vec<(String, String)>, here: String) -> Self {
        Self { label, steps, here }
    }
}

/// One figure of an overview.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it counts.
    pub label: String,
    /// Ready formatted.
    pub value: String,
    /// A remark below it, possibly empty.
    pub remark: String,
}

/// A short text to copy: a key, a token.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/key_box.html")]
pub struct KeyBox {
    /// Unique in the page.
    pub id: String,
    /// What it is, for screen readers.
    pub label: String,
    /// The text itself.
    pub value: String,
    /// On the button.
    pub copy: String,
    /// On the button afterwards.
    pub copied: String,
}

impl HtmlSafe for KeyBox {}

/// A QR code as inline SVG.
#[derive(Debug, Clone)]
pub struct Qr(String);

impl HtmlSafe for Qr {}

impl fmt::Display for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Qr {
    /// `text` as a code; `None` when it is too long for one (2,953 bytes at the lowest level).
    pub fn of(text: &str) -> Option<Self> {
        sheet(std::slice::from_ref(&text)).map(Self)
    }

    /// A signed document as one code, or as several to be read one after the other. None when it
    /// is too long even so.
    pub fn parts(document: &[u8]) -> Vec<Self> {
        let texts = mintreu::document::to_qr(document).unwrap_or_default();
        texts.iter().filter_map(|text| Self::of(text)).collect()
    }

    /// As [`Qr::parts`], below each other in one drawing: for a file.
    pub fn sheet(document: &[u8]) -> Option<Self> {
        let texts = mintreu::document::to_qr(document).ok()?;
        sheet(&texts).map(Self)
    }
}

/// The codes below each other, each a path of unit squares: far shorter than a rectangle each.
fn sheet<T: AsRef<str>>(texts: &[T]) -> Option<String> {
    use std::fmt::Write;
    let (mut path, mut side, mut height) = (String::new(), 0, 0);
    for text in texts {
        let level = qrcode::EcLevel::M;
        let code = qrcode::QrCode::with_error_correction_level(text.as_ref(), level).ok()?;
        let width = code.width();
        for (index, colour) in code.to_colors().iter().enumerate() {
            if *colour == qrcode::Color::Dark {
                let (x, y) = (index % width + 4, index / width + 4 + height);
                write!(path, "M{x} {y}h1v1h-1z").ok()?;
            }
        }
        side = side.max(width + 8);
        height += width + 8;
    }
    (side > 0).then(|| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {height}\" \
             shape-rendering=\"crispEdges\" aria-hidden=\"true\"><rect width=\"{side}\" \
             height=\"{height}\" fill=\"#fff\"/><path d=\"{path}\"/></svg>"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_escape_what_they_are_given() {
        let probe = "<script>\"&'".to_owned();
        let crumbs = Crumbs::new(
            probe.clone(),
            vec![(probe.clone(), probe.clone())],
            probe.clone(),
        );
        let key_box = KeyBox {
            id: "key".to_owned(),
            label: probe.clone(),
            value: probe.clone(),
            copy: probe.clone(),
            copied: probe.clone(),
        };
        for text in [
            Badge::new(Tone::Good, probe.clone()).to_string(),
            Notice::new(Tone::Bad, probe.clone()).to_string(),
            crumbs.to_string(),
            key_box.to_string(),
        ] {
            assert!(!text.contains("<script>"), "{text}");
        }
    }

    #[test]
    fn a_text_too_long_for_a_code_has_none() {
        assert!(Qr::of(&"x".repeat(2_331)).is_some());
        assert!(Qr::of(&"x".repeat(2_332)).is_none());
    }
}
