//! A sheet as PDF: what the layout says, drawn and tagged.

use super::Sheet;
use super::layout::{Mark, PAGE, Role, lay_out};
use super::text::line;
use krilla::color::rgb;
use krilla::document::Document;
use krilla::geom::{PathBuilder, Point};
use krilla::metadata::{Metadata, TextDirection};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node, SpanTag, TableHeaderScope, Tag, TagGroup,
    TagTree,
};
use std::collections::BTreeMap;
use std::num::NonZeroU16;

/// Why a sheet became no file.
#[derive(Debug, thiserror::Error)]
#[error("a sheet could not be printed: {0}")]
pub struct PrintError(String);

/// What is drawn as what, in the order it is read.
#[derive(Default)]
struct Said {
    heading: Vec<Identifier>,
    paragraphs: BTreeMap<u32, Vec<Identifier>>,
    cells: BTreeMap<(u32, u32), Vec<Identifier>>,
    /// The first paragraph that stands behind the table.
    behind: u32,
}

/// The pages of a sheet; `page_of` says `Page 2 of 3`. Equal sheets are equal bytes.
pub fn pdf(sheet: &Sheet, page_of: &dyn Fn(usize, usize) -> String) -> Result<Vec<u8>, PrintError> {
    let mut document = Document::new();
    document.set_metadata(metadata(sheet));
    let mut said = Said::default();
    for marks in lay_out(sheet, page_of) {
        let settings = PageSettings::from_wh(PAGE.0, PAGE.1);
        let settings = settings.ok_or_else(|| PrintError("a page without size".to_owned()))?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for mark in &marks {
            draw(&mut surface, mark, &mut said);
        }
        surface.finish();
        page.finish();
    }
    document.set_tag_tree(said.tree(sheet));
    let failed = |error| PrintError(format!("{error:?}"));
    document.finish().map_err(failed)
}

fn metadata(sheet: &Sheet) -> Metadata {
    let direction = match sheet.rtl {
        true => TextDirection::RightToLeft,
        false => TextDirection::LeftToRight,
    };
    Metadata::new()
        .title(sheet.title.clone())
        .language(sheet.lang.clone())
        .text_direction(direction)
}

fn draw(surface: &mut Surface<'_>, mark: &Mark, said: &mut Said) {
    match mark {
        Mark::Rule { y, span } => {
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(
                ArtifactType::Other,
            )));
            rule(surface, *y, *span);
            surface.end_tagged();
        }
        Mark::Text {
            x,
            y,
            size,
            weight,
            text,
            role,
        } => {
            let line = line(text, *weight);
            // Joined letters in visual order are read by the text that they stand for.
            let read = line.turned.then_some(text.as_str());
            let tag = match role {
                Role::Furniture => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Other)),
                _ => ContentTag::Span(SpanTag::empty().with_actual_text(read)),
            };
            let id = surface.start_tagged(tag);
            let mut x = *x;
            surface.set_stroke(None);
            surface.set_fill(Some(ink()));
            for piece in line.pieces {
                let (width, at) = (piece.width * size, Point::from_xy(x, *y));
                surface.draw_glyphs(at, &piece.glyphs, piece.font, &piece.text, *size, false);
                x += width;
            }
            surface.end_tagged();
            said.note(*role, id);
        }
    }
}

fn ink() -> Fill {
    Fill {
        paint: rgb::Color::new(20, 24, 28).into(),
        opacity: NormalizedF32::ONE,
        rule: FillRule::NonZero,
    }
}

fn rule(surface: &mut Surface<'_>, y: f32, (left, right): (f32, f32)) {
    let mut path = PathBuilder::new();
    path.move_to(left, y);
    path.line_to(right, y);
    if let Some(path) = path.finish() {
        surface.set_fill(None);
        surface.set_stroke(Some(Stroke {
            paint: rgb::Color::new(170, 178, 186).into(),
            width: 0.6,
            ..Stroke::default()
        }));
        surface.draw_path(&path);
    }
}

impl Said {
    fn note(&mut self, role: Role, id: Identifier) {
        match role {
            Role::Heading => self.heading.push(id),
            Role::Paragraph(number) => {
                self.paragraphs.entry(number).or_default().push(id);
                if self.cells.is_empty() {
                    self.behind = number + 1;
                }
            }
            Role::Cell { row, column } => {
                self.cells.entry((row, column)).or_default().push(id);
            }
            Role::Furniture => {}
        }
    }

    /// Heading, what stands over the table, the table, and what stands under it.
    fn tree(mut self, sheet: &Sheet) -> TagTree {
        let mut tree = TagTree::new().with_lang(Some(sheet.lang.clone()));
        let title = Some(sheet.title.clone());
        let heading = Tag::Hn(NonZeroU16::MIN, title);
        tree.push(TagGroup::with_children(heading, leaves(self.heading)));
        let under = self.paragraphs.split_off(&self.behind);
        for (_, ids) in self.paragraphs {
            tree.push(TagGroup::with_children(Tag::P, leaves(ids)));
        }
        if let Some(table) = table(self.cells) {
            tree.push(table);
        }
        for (_, ids) in under {
            tree.push(TagGroup::with_children(Tag::P, leaves(ids)));
        }
        tree
    }
}

fn leaves(ids: Vec<Identifier>) -> Vec<Node> {
    ids.into_iter().map(Node::from).collect()
}

fn table(cells: BTreeMap<(u32, u32), Vec<Identifier>>) -> Option<TagGroup> {
    let mut rows: BTreeMap<u32, TagGroup> = BTreeMap::new();
    for ((row, _), ids) in cells {
        let cell = match row {
            0 => TagGroup::with_children(Tag::TH(TableHeaderScope::Column), leaves(ids)),
            _ => TagGroup::with_children(Tag::TD, leaves(ids)),
        };
        let group = rows.entry(row).or_insert_with(|| TagGroup::new(Tag::TR));
        group.push(cell);
    }
    if rows.is_empty() {
        return None;
    }
    let mut table = TagGroup::new(Tag::Table);
    for (_, row) in rows {
        table.push(row);
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;

    fn sheet() -> Sheet {
        Sheet {
            lang: "en".to_owned(),
            title: "Invoice INV-000001 \u{6f22}".to_owned(),
            state: "Paid".to_owned(),
            parties: vec![("To".to_owned(), vec!["شركة".to_owned(), "Łódź".to_owned()])],
            columns: vec![
                Column::words("What".to_owned(), 3),
                Column::figures("Amount".to_owned(), 1),
            ],
            rows: vec![vec!["Editor".to_owned(), "€49.00".to_owned()]; 70],
            sums: vec![("Total".to_owned(), "€49.00".to_owned())],
            notes: vec!["Thank you.".to_owned()],
            ..Sheet::default()
        }
    }

    #[test]
    fn equal_sheets_are_equal_bytes_and_others_are_not() {
        let print = |sheet: &Sheet| pdf(sheet, &|n, of| format!("{n} of {of}")).expect("a file");
        let (one, two) = (print(&sheet()), print(&sheet()));
        assert!(one.starts_with(b"%PDF-"));
        assert_eq!(one, two);
        let mut other = sheet();
        other.sums[0].1 = "€49.01".to_owned();
        assert_ne!(one, print(&other));
    }

    #[test]
    fn anything_can_be_printed() {
        let strange = [
            "",
            "\u{0}",
            "\u{202e}abc",
            "\u{1f468}\u{200d}\u{1f469}",
            "a\u{301}\u{301}",
            "ﷺ",
        ];
        for text in strange {
            let all = || text.to_owned();
            let sheet = Sheet {
                lang: "qps-plocm".to_owned(),
                rtl: true,
                title: all(),
                state: all(),
                parties: vec![(all(), vec![all()])],
                facts: vec![(all(), all())],
                columns: vec![Column::words(all(), 1), Column::figures(all(), 0)],
                rows: vec![vec![all(), all()], vec![], vec![all()]],
                sums: vec![(all(), all())],
                notes: vec![all()],
            };
            assert!(pdf(&sheet, &|_, _| all()).is_ok(), "{text:?}");
        }
        assert!(
            pdf(&Sheet::default(), &|_, _| String::new()).is_ok(),
            "nothing at all"
        );
    }
}
