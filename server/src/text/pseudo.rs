//! The look of the pseudo-locale: accented letters inside `⟦…⟧`.

use std::borrow::Cow;

/// Opens every pseudo-translated sentence.
pub const OPEN: char = '⟦';
/// Closes it.
pub const CLOSE: char = '⟧';

/// Letters replaced by look-alikes that no English sentence holds; the rest stays.
pub fn accented(text: &str) -> Cow<'_, str> {
    Cow::Owned(text.chars().map(accent).collect())
}

/// The whole sentence in brackets.
pub fn bracketed(text: &str) -> String {
    format!("{OPEN}{text}{CLOSE}")
}

fn accent(letter: char) -> char {
    match letter {
        'a' => 'á',
        'c' => 'ç',
        'e' => 'é',
        'i' => 'í',
        'n' => 'ñ',
        'o' => 'ö',
        's' => 'š',
        'u' => 'ü',
        'y' => 'ý',
        'z' => 'ž',
        'A' => 'Å',
        'C' => 'Ç',
        'E' => 'Ê',
        'I' => 'Î',
        'N' => 'Ñ',
        'O' => 'Ø',
        'S' => 'Š',
        'U' => 'Û',
        'Y' => 'Ý',
        'Z' => 'Ž',
        other => other,
    }
}
