//! Redeem codes: short enough to type, checked before they are sent anywhere.
//!
//! Twenty characters of Crockford's base32: three of the product, fifteen random (75 bits), two
//! that check. The check is a Reed-Solomon code over GF(32): with the symbols s₀…s₁₉ and a
//! primitive α, both Σ sᵢ and Σ αⁱ·sᵢ are zero. One wrong symbol breaks the first sum; two swapped
//! ones break the second, since all αⁱ differ; and so do any two wrong ones.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq as _;
use zeroize::ZeroizeOnDrop;

use crate::error::{Error, Result};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PREFIX: usize = 3;
/// Letters and digits of a text that somebody may have meant as a code: two lost or two too many.
const TYPED: std::ops::RangeInclusive<usize> = 18..=22;
const DATA: usize = 18;
const LEN: usize = 20;
const GROUP: usize = 5;

/// A code that is exchanged once for a license. Never printed by `Debug`.
#[derive(Clone, ZeroizeOnDrop)]
pub struct RedeemCode([u8; LEN]);

impl RedeemCode {
    /// A code of a product's prefix and 75 of the 80 `random` bits.
    ///
    /// The prefix is the first three usable characters of the product's code: a hint for people,
    /// nothing that anything depends on.
    pub fn new(product: &str, random: [u8; 10]) -> Self {
        let mut symbols = [0; LEN];
        let usable = product.bytes().filter_map(symbol);
        for (slot, symbol) in symbols[..PREFIX].iter_mut().zip(usable) {
            *slot = symbol;
        }
        let mut bits = [0; 16];
        bits[6..].copy_from_slice(&random);
        let mut bits = u128::from_be_bytes(bits);
        for slot in &mut symbols[PREFIX..DATA] {
            *slot = (bits & 31) as u8;
            bits >>= 5;
        }
        let checks = check_symbols(&symbols);
        symbols[DATA..].copy_from_slice(&checks);
        Self(symbols)
    }

    /// A new code from the operating system's randomness; `no_randomness` where there is none.
    pub fn generate(product: &str) -> Result<Self> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|_| {
            Error::new(
                "no_randomness",
                "the system gave no randomness for a new code",
            )
        })?;
        Ok(Self::new(product, random))
    }

    /// The three characters that a code of `product` begins with; of a text that somebody typed,
    /// those it seems to begin with.
    pub fn hint_of(product: &str) -> String {
        let mut hint = ['0'; PREFIX];
        let usable = product.bytes().filter_map(symbol);
        for (slot, symbol) in hint.iter_mut().zip(usable) {
            *slot = char::from(ALPHABET[usize::from(symbol)]);
        }
        hint.iter().collect()
    }

    /// The three characters of its product: all that can be known of a code without looking it up.
    pub fn hint(&self) -> String {
        Self::hint_of(&self.canonical())
    }

    /// Whether somebody who typed `text` may have meant a code, right or wrong.
    ///
    /// What does not even resemble one is better explained in other words than `code_mistyped`.
    pub fn resembles(text: &str) -> bool {
        let typed = |byte: &u8| !byte.is_ascii_whitespace() && *byte != b'-';
        let typed: Vec<u8> = text.bytes().take(101).filter(typed).collect();
        TYPED.contains(&typed.len()) && typed.iter().all(u8::is_ascii_alphanumeric)
    }

    /// The twenty characters without dashes, as they are hashed for looking up.
    pub fn canonical(&self) -> String {
        self.0
            .iter()
            .map(|&symbol| char::from(ALPHABET[usize::from(symbol)]))
            .collect()
    }
}

/// The value of a character: either case, O as 0, I and L as 1.
fn symbol(byte: u8) -> Option<u8> {
    let byte = match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    let index = ALPHABET.iter().position(|&known| known == byte)?;
    u8::try_from(index).ok()
}

/// Multiplies in GF(32) modulo x⁵ + x² + 1.
const fn multiply(left: u8, right: u8) -> u8 {
    let (mut product, mut factor, mut rest) = (0, left, right);
    while rest > 0 {
        if rest & 1 == 1 {
            product ^= factor;
        }
        factor <<= 1;
        if factor & 32 != 0 {
            factor ^= 0b10_0101;
        }
        rest >>= 1;
    }
    product
}

/// The sums Σ sᵢ and Σ αⁱ·sᵢ with α = x.
fn sums(symbols: &[u8]) -> (u8, u8) {
    let mut weight = 1;
    let mut sums = (0, 0);
    for &symbol in symbols {
        sums = (sums.0 ^ symbol, sums.1 ^ multiply(weight, symbol));
        weight = multiply(weight, 2);
    }
    sums
}

/// The two symbols that make both sums zero; there is exactly one such pair.
fn check_symbols(symbols: &[u8; LEN]) -> [u8; 2] {
    let mut trial = *symbols;
    let mut found = [0; 2];
    for first in 0..32 {
        trial[DATA] = first;
        trial[DATA + 1] = sums(&trial[..=DATA]).0;
        if sums(&trial) == (0, 0) {
            found = [trial[DATA], trial[DATA + 1]];
        }
    }
    found
}

impl FromStr for RedeemCode {
    type Err = Error;

    /// Reads a typed code: case, spaces and dashes don't matter, nor O for 0, I or L for 1.
    ///
    /// `code_mistyped` when a character is wrong, swapped or missing.
    fn from_str(text: &str) -> Result<Self> {
        let mistyped = |detail| Error::new("code_mistyped", detail);
        if text.len() > 100 {
            return Err(mistyped(
                "a code has 20 letters and digits; this is much longer: copy the code alone",
            ));
        }
        let mut symbols = Vec::with_capacity(LEN);
        for byte in text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-')
        {
            symbols.push(symbol(byte).ok_or_else(|| {
                mistyped("a code has only digits and the letters A to Z without U; compare it with what you type")
            })?);
        }
        let symbols: [u8; LEN] = symbols
            .try_into()
            .map_err(|_| mistyped("a code has 20 letters and digits; count them again"))?;
        if sums(&symbols) != (0, 0) {
            return Err(mistyped(
                "a character of this code is wrong or two are swapped; compare it group by group",
            ));
        }
        Ok(Self(symbols))
    }
}

impl fmt::Display for RedeemCode {
    /// Four groups of five, for people to type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.canonical();
        for start in (0..LEN).step_by(GROUP) {
            let dash = if start == 0 { "" } else { "-" };
            write!(f, "{dash}{}", &text[start..start + GROUP])?;
        }
        Ok(())
    }
}

impl fmt::Debug for RedeemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedeemCode(redacted)")
    }
}

impl PartialEq for RedeemCode {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for RedeemCode {}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> RedeemCode {
        RedeemCode::new("acme.editor", [0x9a, 3, 77, 200, 41, 90, 250, 1, 66, 17])
    }

    fn reads(text: &str) -> Option<RedeemCode> {
        text.parse().ok()
    }

    #[test]
    fn typing_is_forgiven_where_it_can_be() {
        let code = RedeemCode::new("100", [0; 10]);
        let text = code.to_string();
        assert_eq!(text.len(), 23);
        for typed in [
            text.to_lowercase(),
            text.replace('-', " "),
            text.replace('-', ""),
            text.replace('0', "O").replace('1', "l"),
            format!("  {}\n", text.replace('1', "I")),
        ] {
            assert_eq!(reads(&typed), Some(code.clone()), "{typed}");
        }
    }

    #[test]
    fn every_typo_every_swap_and_every_pair_of_typos_is_found() {
        let good = code().canonical().into_bytes();
        let holds = |bytes: &[u8]| reads(std::str::from_utf8(bytes).expect("ASCII")).is_some();
        assert!(holds(&good));
        for at in 0..LEN {
            for &other in ALPHABET.iter().filter(|&&other| other != good[at]) {
                let mut typo = good.clone();
                typo[at] = other;
                assert!(!holds(&typo));
                let next = (at + 7) % LEN;
                for &second in ALPHABET.iter().filter(|&&second| second != good[next]) {
                    typo[next] = second;
                    assert!(!holds(&typo));
                }
            }
            for with in at + 1..LEN {
                let mut swapped = good.clone();
                swapped.swap(at, with);
                assert_eq!(holds(&swapped), good[at] == good[with]);
            }
        }
    }

    /// Codes of many products, with every kind of first characters.
    fn many() -> Vec<RedeemCode> {
        let products = ["acme.editor", "q", "", "10-oil", "zz+top", "U.u"];
        (0..=255_u8)
            .step_by(5)
            .map(|seed| {
                let random = std::array::from_fn(|at| {
                    let at = u8::try_from(at).expect("ten bytes");
                    seed.wrapping_mul(37).wrapping_add(at.wrapping_mul(101)) ^ seed
                });
                RedeemCode::new(products[usize::from(seed) % products.len()], random)
            })
            .collect()
    }

    #[test]
    fn every_typo_and_every_swap_of_a_printed_code_is_found() {
        for code in many() {
            let printed = code.to_string().into_bytes();
            let typed = |bytes: &[u8]| reads(std::str::from_utf8(bytes).expect("ASCII"));
            assert_eq!(typed(&printed), Some(code.clone()));
            let places = (0..printed.len()).filter(|&at| printed[at] != b'-');
            for at in places.clone() {
                for byte in (b'0'..=b'9').chain(b'a'..=b'z').chain(b'A'..=b'Z') {
                    let mut typo = printed.clone();
                    typo[at] = byte;
                    let same = symbol(byte) == symbol(printed[at]);
                    assert_eq!(typed(&typo).is_some(), same, "{byte} at {at}");
                }
                for with in places.clone().filter(|&with| with > at) {
                    let mut swapped = printed.clone();
                    swapped.swap(at, with);
                    let same = printed[at] == printed[with];
                    assert_eq!(typed(&swapped).is_some(), same, "{at} with {with}");
                }
                let mut lost = printed.clone();
                lost.remove(at);
                assert_eq!(typed(&lost), None);
                let mut doubled = printed.clone();
                doubled.insert(at, printed[at]);
                assert_eq!(typed(&doubled), None);
            }
        }
    }

    #[test]
    fn a_code_tells_its_product_s_hint_and_what_resembles_one() {
        assert_eq!(RedeemCode::hint_of("acme.editor"), "ACM");
        assert_eq!(RedeemCode::hint_of("oil"), "011");
        assert_eq!(RedeemCode::hint_of("u"), "000");
        assert_eq!(code().hint(), "ACM");
        let printed = code().to_string();
        for typed in [&printed, &printed[1..], "acmab u0000 00000 00000"] {
            assert!(RedeemCode::resembles(typed), "{typed}");
        }
        for other in [
            "",
            "MT1-",
            "acme.editor-000000000",
            "ACMAB",
            &"A".repeat(200),
        ] {
            assert!(!RedeemCode::resembles(other), "{other}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        for text in [
            "",
            "ACM",
            "ACMAB-U0000-00000-00000",
            "acme.editor",
            &"A".repeat(1_000),
        ] {
            let error = text.parse::<RedeemCode>().expect_err("no code");
            assert_eq!(error.code(), "code_mistyped");
        }
        assert_eq!(format!("{:?}", code()), "RedeemCode(redacted)");
    }
}
