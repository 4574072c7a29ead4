//! Where things stand on the pages of a sheet. Pure: positions and words, no file.

use super::text::{Weight, line, wrap};
use super::{MAX_ROWS, Sheet};

/// A4 in points.
pub const PAGE: (f32, f32) = (595.276, 841.89);
/// Free at each side.
const MARGIN: f32 = 48.0;
/// Where a page's rows end; the foot is under it.
const BOTTOM: f32 = PAGE.1 - 64.0;
/// Running text, and the distance of its lines.
const BODY: (f32, f32) = (9.5, 13.0);
/// The heading.
const HEAD: (f32, f32) = (20.0, 30.0);
/// Between columns.
const GAP: f32 = 10.0;

/// What a word is, for who can't see the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The sheet's heading.
    Heading,
    /// A paragraph, counted.
    Paragraph(u32),
    /// A cell of the table: row 0 is the head.
    Cell {
        /// From the top, over all pages.
        row: u32,
        /// From the start.
        column: u32,
    },
    /// Repeated on every page: not part of what the sheet says.
    Furniture,
}

/// Something drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A line of text; `x` is its left end and `y` its base.
    Text {
        /// From the left.
        x: f32,
        /// From the top.
        y: f32,
        /// In points.
        size: f32,
        /// How heavy.
        weight: Weight,
        /// What.
        text: String,
        /// As what.
        role: Role,
    },
    /// A line over the whole width.
    Rule {
        /// From the top.
        y: f32,
        /// From left to right.
        span: (f32, f32),
    },
}

/// The marks of each page.
pub struct Layout<'s> {
    sheet: &'s Sheet,
    pages: Vec<Vec<Mark>>,
    y: f32,
    paragraphs: u32,
}

/// Lays a sheet out; `page_of` says `Page 2 of 3`.
pub fn lay_out(sheet: &Sheet, page_of: &dyn Fn(usize, usize) -> String) -> Vec<Vec<Mark>> {
    let mut layout = Layout {
        sheet,
        pages: vec![Vec::new()],
        y: MARGIN,
        paragraphs: 0,
    };
    layout.top();
    layout.table();
    layout.end();
    let total = layout.pages.len();
    for page in 0..total {
        let text = page_of(page + 1, total);
        layout.foot(page, &text);
    }
    layout.pages
}

impl Layout<'_> {
    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    fn paragraph(&mut self) -> Role {
        self.paragraphs += 1;
        Role::Paragraph(self.paragraphs)
    }

    /// Writes one line into a box from `left` to `right`, at its start, or its end when `far`.
    fn write(&mut self, text: &str, of: (f32, Weight, Role), (left, right): (f32, f32), far: bool) {
        if text.trim().is_empty() {
            return;
        }
        let (size, weight, role) = of;
        let width = line(text, weight).width * size;
        let (left, right) = match self.sheet.rtl {
            true => (PAGE.0 - right, PAGE.0 - left),
            false => (left, right),
        };
        let at_right = far != self.sheet.rtl;
        let x = if at_right { right - width } else { left };
        let (y, text) = (self.y + size, text.to_owned());
        self.mark(Mark::Text {
            x,
            y,
            size,
            weight,
            text,
            role,
        });
    }

    fn rule(&mut self, (left, right): (f32, f32)) {
        let span = match self.sheet.rtl {
            true => (PAGE.0 - right, PAGE.0 - left),
            false => (left, right),
        };
        self.mark(Mark::Rule { y: self.y, span });
    }

    /// Heading, parties and facts.
    fn top(&mut self) {
        let whole = (MARGIN, PAGE.0 - MARGIN);
        let sheet = self.sheet;
        let state = self.paragraph();
        self.write(&sheet.state, (BODY.0, Weight::Bold, state), whole, true);
        let room = (HEAD.0, whole.1 - whole.0 - 110.0);
        for text in wrap(&sheet.title, Weight::Bold, room) {
            self.write(&text, (HEAD.0, Weight::Bold, Role::Heading), whole, false);
            self.y += HEAD.1;
        }
        self.y += 8.0;
        let half = (whole.1 - whole.0 - GAP) / 2.0;
        let (start, mut lowest) = (self.y, self.y);
        for (index, (heading, lines)) in sheet.parties.iter().enumerate().take(2) {
            self.y = start;
            let left = MARGIN + (half + GAP) * if index == 0 { 0.0 } else { 1.0 };
            let span = (left, left + half);
            let role = self.paragraph();
            self.write(heading, (8.0, Weight::Bold, role), span, false);
            self.y += BODY.1;
            let role = self.paragraph();
            for text in lines {
                for text in wrap(text, Weight::Regular, (BODY.0, half)) {
                    self.write(&text, (BODY.0, Weight::Regular, role), span, false);
                    self.y += BODY.1;
                }
            }
            lowest = lowest.max(self.y);
        }
        self.y = lowest + 10.0;
        for (name, value) in &sheet.facts {
            let role = self.paragraph();
            self.write(
                name,
                (BODY.0, Weight::Bold, role),
                (MARGIN, MARGIN + 150.0),
                false,
            );
            let span = (MARGIN + 160.0, whole.1);
            for text in wrap(value, Weight::Regular, (BODY.0, span.1 - span.0)) {
                self.write(&text, (BODY.0, Weight::Regular, role), span, false);
                self.y += BODY.1;
            }
        }
        self.y += 12.0;
    }

    /// From where to where each column goes.
    fn columns(&self) -> Vec<(f32, f32)> {
        let shares: u32 = self
            .sheet
            .columns
            .iter()
            .map(|one| u32::from(one.share))
            .sum();
        let gaps = GAP * self.sheet.columns.len().saturating_sub(1) as f32;
        let room = PAGE.0 - 2.0 * MARGIN - gaps;
        let mut left = MARGIN;
        let mut spans = Vec::new();
        for column in &self.sheet.columns {
            let width = room * f32::from(column.share) / shares.max(1) as f32;
            spans.push((left, left + width));
            left += width + GAP;
        }
        spans
    }

    fn table(&mut self) {
        let spans = self.columns();
        self.head(&spans, true);
        let sheet = self.sheet;
        for (number, row) in (1..).zip(sheet.rows.iter().take(MAX_ROWS)) {
            self.row(row, number, &spans);
        }
        self.rule((MARGIN, PAGE.0 - MARGIN));
        self.y += 6.0;
    }

    /// The table's head; what repeats it on a later page isn't said again.
    fn head(&mut self, spans: &[(f32, f32)], first: bool) {
        let sheet = self.sheet;
        let heads: Vec<_> = sheet.columns.iter().map(|one| one.head.clone()).collect();
        let role = |column| match first {
            true => Role::Cell { row: 0, column },
            false => Role::Furniture,
        };
        self.cells(&heads, (8.0, Weight::Bold), spans, &role);
        self.rule((MARGIN, PAGE.0 - MARGIN));
        self.y += 5.0;
    }

    fn row(&mut self, row: &[String], number: u32, spans: &[(f32, f32)]) {
        let lines = row
            .iter()
            .zip(spans)
            .map(|(text, span)| wrap(text, Weight::Regular, (BODY.0, span.1 - span.0)).len());
        let height = lines.max().unwrap_or(1).max(1) as f32 * BODY.1 + 4.0;
        if self.y + height > BOTTOM {
            self.turn();
            self.head(spans, false);
        }
        let role = |column| Role::Cell {
            row: number,
            column,
        };
        self.cells(row, (BODY.0, Weight::Regular), spans, &role);
    }

    /// Writes the cells of a row, and moves under the highest.
    fn cells(
        &mut self,
        row: &[String],
        (size, weight): (f32, Weight),
        spans: &[(f32, f32)],
        role: &dyn Fn(u32) -> Role,
    ) {
        let (top, mut lowest) = (self.y, self.y + BODY.1);
        let sheet = self.sheet;
        for (index, (text, span)) in (0..).zip(row.iter().zip(spans)) {
            self.y = top;
            let column = sheet.columns.get(index as usize);
            let far = column.is_some_and(|column| column.numeric);
            for text in wrap(text, weight, (size, span.1 - span.0)) {
                self.write(&text, (size, weight, role(index)), *span, far);
                self.y += BODY.1;
            }
            lowest = lowest.max(self.y);
        }
        self.y = lowest + 4.0;
    }

    /// Sums and notes.
    fn end(&mut self) {
        let sheet = self.sheet;
        let whole = (MARGIN, PAGE.0 - MARGIN);
        let last = sheet.sums.len().saturating_sub(1);
        for (index, (name, value)) in sheet.sums.iter().enumerate() {
            self.make_room(BODY.1);
            let (size, weight) = match index == last {
                true => (11.0, Weight::Bold),
                false => (BODY.0, Weight::Regular),
            };
            let role = self.paragraph();
            let names = (whole.1 - 300.0, whole.1 - 120.0);
            self.write(name, (size, weight, role), names, false);
            self.write(
                value,
                (size, weight, role),
                (whole.1 - 240.0, whole.1),
                true,
            );
            self.y += BODY.1 + 3.0;
        }
        self.y += 14.0;
        for note in &sheet.notes {
            let role = self.paragraph();
            for text in wrap(note, Weight::Regular, (8.5, whole.1 - whole.0)) {
                self.make_room(BODY.1);
                self.write(&text, (8.5, Weight::Regular, role), whole, false);
                self.y += 12.0;
            }
            self.y += 4.0;
        }
    }

    fn make_room(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = MARGIN;
    }

    fn foot(&mut self, page: usize, text: &str) {
        let width = line(text, Weight::Regular).width * 8.0;
        let mark = |x: f32, text: &str| Mark::Text {
            x,
            y: PAGE.1 - 36.0,
            size: 8.0,
            weight: Weight::Regular,
            text: text.to_owned(),
            role: Role::Furniture,
        };
        let title = line(&self.sheet.title, Weight::Regular).width * 8.0;
        let (near, far) = (MARGIN, PAGE.0 - MARGIN);
        let marks = match self.sheet.rtl {
            true => [mark(far - title, &self.sheet.title), mark(near, text)],
            false => [mark(near, &self.sheet.title), mark(far - width, text)],
        };
        if let Some(page) = self.pages.get_mut(page) {
            page.extend(marks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;

    fn sheet(rows: usize, rtl: bool) -> Sheet {
        let row = |n: usize| vec![format!("Line {n}"), format!("{n}.00")];
        Sheet {
            lang: "en".to_owned(),
            rtl,
            title: "Invoice INV-000001".to_owned(),
            columns: vec![
                Column::words("What".to_owned(), 3),
                Column::figures("Amount".to_owned(), 1),
            ],
            rows: (1..=rows).map(row).collect(),
            sums: vec![("Total".to_owned(), "9.00".to_owned())],
            ..Sheet::default()
        }
    }

    fn texts(page: &[Mark]) -> Vec<(&str, f32, Role)> {
        page.iter()
            .filter_map(|mark| match mark {
                Mark::Text { text, x, role, .. } => Some((text.as_str(), *x, *role)),
                Mark::Rule { .. } => None,
            })
            .collect()
    }

    #[test]
    fn rows_go_on_under_the_same_head_and_none_is_lost() {
        let sheet = sheet(100, false);
        let pages = lay_out(&sheet, &|n, of| format!("Page {n} of {of}"));
        assert_eq!(pages.len(), 3);
        let mut rows = Vec::new();
        for (index, page) in pages.iter().enumerate() {
            let found = texts(page);
            let heads = found.iter().filter(|one| one.0 == "What").count();
            assert_eq!(heads, 1, "page {index}");
            let said = format!("Page {} of 3", index + 1);
            assert!(found.iter().any(|one| one.0 == said), "page {index}");
            rows.extend(found.iter().filter_map(|one| match one.2 {
                Role::Cell { row, column: 0 } if row > 0 => Some(row),
                _ => None,
            }));
            for mark in page {
                if let Mark::Text { y, .. } = mark {
                    assert!(*y < PAGE.1, "{mark:?}");
                }
            }
        }
        assert_eq!(rows, (1..=100).collect::<Vec<_>>());
    }

    #[test]
    fn a_sheet_that_runs_from_right_to_left_is_mirrored() {
        let at = |rtl| {
            let pages = lay_out(&sheet(1, rtl), &|_, _| String::new());
            let found = texts(&pages[0]);
            let of = |what: &str| found.iter().find(|one| one.0 == what).expect(what).1;
            (of("What"), of("Amount"))
        };
        let (left, right) = (at(false), at(true));
        assert!(left.0 < left.1, "{left:?}");
        assert!(right.0 > right.1, "{right:?}");
    }
}
