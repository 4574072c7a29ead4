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
                "a code has 20 letters and digits; this is much longer",
            ));
        }
        let mut symbols = Vec::with_capacity(LEN);
        for byte in text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-')
        {
            symbols.push(symbol(byte).ok_or_else(|| {
                mistyped("a code has only digits and the letters A to Z without U")
            })?);
        }
        let symbols: [u8; LEN] = symbols
            .try_into()
            .map_err(|_| mistyped("a code has 20 letters and digits; count them again"))?;
        if sums(&symbols) != (0, 0) {
            return Err(mistyped(
                "a character of this code is wrong or two are swapped",
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
