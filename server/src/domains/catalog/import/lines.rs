//! Lines of a stream, counted and bounded.

use std::io::{BufRead, Read};

/// Longest line kept; the rest of a longer one is read over.
const MAX_LINE: usize = 64 * 1024;

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// UTF-8 text.
    Text(String),
    /// Longer than 64 KiB.
    TooLong,
    /// Not UTF-8.
    NotUtf8,
}

/// Reads lines and counts them.
pub(super) struct Lines<R> {
    reader: R,
    /// The number of the line read last, from 1.
    pub number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
        if (&mut self.reader)
            .take(limit)
            .read_until(b'\n', &mut bytes)?
            == 0
        {
            return Ok(None);
        }
        self.number += 1;
        let ended = bytes.pop_if(|byte| *byte == b'\n').is_some();
        if !ended && bytes.len() > MAX_LINE {
            self.skip_to_end()?;
            return Ok(Some(Line::TooLong));
        }
        bytes.pop_if(|byte| *byte == b'\r');
        let line = String::from_utf8(bytes).map_or(Line::NotUtf8, Line::Text);
        Ok(Some(line))
    }

    fn skip_to_end(&mut self) -> std::io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |at| at + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(bytes);
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    #[test]
    fn lines_are_bounded_and_bad_ones_do_not_hide_the_next() {
        let text = |text: &str| Line::Text(text.to_owned());
        assert_eq!(all(b"a\r\n\nb"), [text("a"), text(""), text("b")]);
        assert_eq!(all(b"\xff\nb\n"), [Line::NotUtf8, text("b")]);
        let exact = "x".repeat(MAX_LINE);
        assert_eq!(
            all(format!("{exact}\nb").as_bytes()),
            [text(&exact), text("b")]
        );
        let long = "x".repeat(MAX_LINE * 3);
        assert_eq!(
            all(format!("{long}\nb").as_bytes()),
            [Line::TooLong, text("b")]
        );
        assert_eq!(all(long.as_bytes()), [Line::TooLong]);
    }
}
