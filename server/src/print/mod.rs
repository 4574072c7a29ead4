//! Papers: a sheet of words in tables, the same on a page of the shop and as PDF.
//!
//! A face builds a [`Sheet`] from what a domain answered, with every amount and date ready
//! formatted; a template draws it as HTML, [`pdf`] as pages of A4. Nothing here knows what a paper is
//! about, or what time it is: equal sheets are equal bytes.
//!
//! # Invariants
//! * Fonts are embedded, and only the letters that are used. A letter that no font has is drawn as
//!   a box, never a failure.
//! * Text runs in its own direction, mixed lines too; a paper of a language that runs from right to
//!   left is mirrored.
//! * A PDF is tagged: heading, paragraphs, a table with head cells; it says its language and title.
//! * Rows that don't fit go on at the next page under the same head, each with its number of all.
//! * Floats are positions on paper alone; amounts come as text.
//!
//! Start reading at [`Sheet`], then [`pdf`].

mod layout;
mod pdf;
mod text;

pub use pdf::{PrintError, pdf};

/// Most rows of a sheet; what lists more says so and offers a file.
pub const MAX_ROWS: usize = 5_000;

/// A column of a sheet's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Over it.
    pub head: String,
    /// Whether it holds figures, which stand at the far side.
    pub numeric: bool,
    /// How wide it is beside the others.
    pub share: u16,
}

impl Column {
    /// A column of words.
    pub fn words(head: String, share: u16) -> Self {
        Self {
            head,
            numeric: false,
            share,
        }
    }

    /// A column of figures.
    pub fn figures(head: String, share: u16) -> Self {
        Self {
            head,
            numeric: true,
            share,
        }
    }
}

/// Everything that is printed on a paper, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sheet {
    /// The language's tag: `en`.
    pub lang: String,
    /// Whether it runs from right to left.
    pub rtl: bool,
    /// The heading: `Invoice INV-000001`.
    pub title: String,
    /// Where it stands, in a word; may be empty.
    pub state: String,
    /// Who issues and who gets it: a heading and lines each.
    pub parties: Vec<(String, Vec<String>)>,
    /// Dates and numbers by their names.
    pub facts: Vec<(String, String)>,
    /// Over the rows.
    pub columns: Vec<Column>,
    /// As many cells as columns each.
    pub rows: Vec<Vec<String>>,
    /// What the rows come to, the last one in bold.
    pub sums: Vec<(String, String)>,
    /// Sentences under it all.
    pub notes: Vec<String>,
}
