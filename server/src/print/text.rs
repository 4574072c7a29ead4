//! Text as glyphs: fonts by letter, directions by run, widths, and lines that fit.

use harfrust::{Direction, FontRef, ShapeOptions, ShaperData, UnicodeBuffer};
use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::MetadataProvider;
use std::sync::LazyLock;
use unicode_bidi::{BidiInfo, Level};

const REGULAR: &[u8] = include_bytes!("../../assets/print/noto-sans.ttf");
const SEMIBOLD: &[u8] = include_bytes!("../../assets/print/noto-sans-semibold.ttf");
const ARABIC: &[u8] = include_bytes!("../../assets/print/noto-sans-arabic.ttf");
const HEBREW: &[u8] = include_bytes!("../../assets/print/noto-sans-hebrew.ttf");

/// Most characters of a text that are drawn.
const MAX_CHARS: usize = 600;
/// Most lines that one text is broken into.
const MAX_LINES: usize = 40;

/// How heavy letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Running text.
    Regular,
    /// Headings and totals.
    Bold,
}

/// A font to draw with, and to shape by.
struct Typeface {
    font: Font,
    face: FontRef<'static>,
    shaper: ShaperData,
}

impl Typeface {
    fn new(data: &'static [u8]) -> Option<Self> {
        let face = FontRef::new(data).ok()?;
        Some(Self {
            font: Font::new(data.into(), 0)?,
            shaper: ShaperData::new(&face),
            face,
        })
    }

    fn has(&self, letter: char) -> bool {
        self.face.charmap().map(letter).is_some()
    }
}

static REGULARS: LazyLock<Vec<Typeface>> = LazyLock::new(|| typefaces(REGULAR));
static BOLDS: LazyLock<Vec<Typeface>> = LazyLock::new(|| typefaces(SEMIBOLD));

/// The font of a weight, then those of other scripts. A file that can't be read is left out; the
/// tests see that all can.
fn typefaces(first: &'static [u8]) -> Vec<Typeface> {
    [first, ARABIC, HEBREW]
        .into_iter()
        .filter_map(Typeface::new)
        .collect()
}

fn faces(weight: Weight) -> &'static [Typeface] {
    match weight {
        Weight::Regular => &REGULARS,
        Weight::Bold => &BOLDS,
    }
}

/// Glyphs of one font in one direction.
pub struct Piece {
    /// The font.
    pub font: Font,
    /// The text that they stand for.
    pub text: String,
    /// In the order they are drawn.
    pub glyphs: Vec<KrillaGlyph>,
    /// In parts of the font's size.
    pub width: f32,
}

/// One line as it is drawn, from left to right.
pub struct Line {
    /// Runs of one font and direction.
    pub pieces: Vec<Piece>,
    /// In parts of the font's size.
    pub width: f32,
    /// Whether a part runs from right to left: its letters stand in another order than they are read.
    pub turned: bool,
}

/// Shapes one line. Control characters and line ends become spaces.
pub fn line(text: &str, weight: Weight) -> Line {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().take(MAX_CHARS).map(plain).collect();
    let faces = faces(weight);
    let (mut pieces, mut turned) = (Vec::new(), false);
    let bidi = BidiInfo::new(&text, None);
    for paragraph in &bidi.paragraphs {
        let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
        for run in runs {
            let rtl = levels.get(run.start).is_some_and(Level::is_rtl);
            let mut parts = by_face(text.get(run).unwrap_or_default(), faces);
            turned |= rtl;
            if rtl {
                parts.reverse();
            }
            let shaped = parts.into_iter().filter_map(|(part, face)| {
                let face = faces.get(face)?;
                Some(shape(part, face, rtl))
            });
            pieces.extend(shaped);
        }
    }
    let width = pieces.iter().map(|piece| piece.width).sum();
    Line {
        pieces,
        width,
        turned,
    }
}

/// Splits text where its letters are in another font: as few changes as possible, and the first
/// font for what none has.
fn by_face<'t>(text: &'t str, faces: &[Typeface]) -> Vec<(&'t str, usize)> {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for (at, letter) in text.char_indices() {
        let last = parts.last().map(|(_, face)| *face);
        let stays = last.filter(|face| faces.get(*face).is_some_and(|face| face.has(letter)));
        let found = stays.or_else(|| faces.iter().position(|face| face.has(letter)));
        let face = found.unwrap_or(0);
        if last != Some(face) {
            parts.push((at, face));
        }
    }
    let ends = parts.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    let spans = parts.iter().zip(ends);
    spans
        .map(|((start, face), end)| (text.get(*start..end).unwrap_or_default(), *face))
        .collect()
}

fn shape(text: &str, face: &Typeface, rtl: bool) -> Piece {
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    buffer.set_direction(match rtl {
        true => Direction::RightToLeft,
        false => Direction::LeftToRight,
    });
    let shaper = face.shaper.shaper(&face.face).build();
    let shaped = shaper.shape(buffer, ShapeOptions::new());
    let infos = shaped.glyph_infos();
    let mut starts: Vec<usize> = infos.iter().map(|info| info.cluster as usize).collect();
    starts.sort_unstable();
    starts.dedup();
    let em = shaper.units_per_em().max(1) as f32;
    let glyphs: Vec<_> = infos
        .iter()
        .zip(shaped.glyph_positions())
        .map(|(info, at)| {
            let start = info.cluster as usize;
            let end = starts.iter().find(|next| **next > start);
            KrillaGlyph::new(
                GlyphId::new(info.glyph_id),
                at.x_advance as f32 / em,
                at.x_offset as f32 / em,
                at.y_offset as f32 / em,
                at.y_advance as f32 / em,
                start..end.copied().unwrap_or(text.len()),
                None,
            )
        })
        .collect();
    Piece {
        font: face.font.clone(),
        text: text.to_owned(),
        width: glyphs.iter().map(|glyph| glyph.x_advance).sum(),
        glyphs,
    }
}

/// Breaks text into lines of at most `width` at `size`: between words, inside a word that is longer.
pub fn wrap(text: &str, weight: Weight, (size, width): (f32, f32)) -> Vec<String> {
    let room = (width / size).max(1.0);
    let measure = |text: &str| line(text, weight).width;
    let text: String = text.chars().take(MAX_CHARS).collect();
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut current = String::new();
        for word in paragraph.split_whitespace() {
            for part in parts_of(word, room, &measure) {
                let longer = match current.is_empty() {
                    true => part.clone(),
                    false => format!("{current} {part}"),
                };
                if current.is_empty() || measure(&longer) <= room {
                    current = longer;
                } else {
                    lines.push(std::mem::replace(&mut current, part));
                }
            }
        }
        lines.push(current);
    }
    lines.truncate(MAX_LINES);
    lines
}

/// A word as it is, or cut where it is longer than a line.
fn parts_of(word: &str, room: f32, measure: &impl Fn(&str) -> f32) -> Vec<String> {
    if measure(word) <= room {
        return vec![word.to_owned()];
    }
    let mut parts = Vec::new();
    let mut current = String::new();
    for letter in word.chars() {
        current.push(letter);
        if measure(&current) > room && current.chars().count() > 1 {
            current.pop();
            parts.push(std::mem::take(&mut current));
            current.push(letter);
        }
    }
    parts.push(current);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_font_is_readable_and_has_its_letters() {
        for weight in [Weight::Regular, Weight::Bold] {
            assert_eq!(faces(weight).len(), 3);
        }
        let signs = "€$£¥₹−×·Łódź Ωμέγα Жук";
        let first = &faces(Weight::Regular)[0];
        let missing: Vec<_> = signs.chars().filter(|c| !first.has(*c)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(faces(Weight::Bold)[1].has('ش') && faces(Weight::Bold)[2].has('ש'));
    }

    #[test]
    fn a_line_of_two_directions_is_drawn_in_the_order_seen() {
        let mixed = line("Invoice שלום 12", Weight::Regular);
        let texts: Vec<_> = mixed
            .pieces
            .iter()
            .map(|piece| piece.text.as_str())
            .collect();
        assert_eq!(texts.first(), Some(&"Invoice "));
        assert!(texts.iter().any(|text| text.contains("שלום")), "{texts:?}");
        // Joined letters are other glyphs than lone ones.
        let (joined, lone) = (line("بب", Weight::Regular), line("ب", Weight::Regular));
        let ids = |line: &Line| {
            line.pieces[0]
                .glyphs
                .iter()
                .map(|g| g.glyph_id)
                .collect::<Vec<_>>()
        };
        assert_ne!(ids(&joined), [ids(&lone), ids(&lone)].concat());
    }

    #[test]
    fn letters_without_a_font_are_drawn_as_a_box() {
        let unknown = line("\u{6f22}\u{1f600}", Weight::Regular);
        let glyphs: Vec<_> = unknown
            .pieces
            .iter()
            .flat_map(|piece| &piece.glyphs)
            .collect();
        assert!(!glyphs.is_empty());
        assert!(glyphs.iter().all(|glyph| glyph.glyph_id.to_u32() == 0));
        assert!(unknown.width > 0.5);
    }

    #[test]
    fn lines_fit_and_hold_all_words() {
        let text = "A product with a rather long name, and anextremelylongwordthatfitsnowhere";
        let lines = wrap(text, Weight::Regular, (10.0, 80.0));
        assert!(lines.len() > 4, "{lines:?}");
        for one in &lines {
            assert!(line(one, Weight::Regular).width * 10.0 <= 80.0, "{one}");
        }
        let bare = |text: &str| text.replace(' ', "");
        assert_eq!(bare(&lines.concat()), bare(text));
        assert_eq!(wrap("", Weight::Regular, (10.0, 80.0)).len(), 0);
        assert!(wrap(&"x".repeat(10_000), Weight::Bold, (10.0, 5.0)).len() <= MAX_LINES);
    }
}
