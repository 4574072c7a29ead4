//! VAT ids of the member states: their shape and, where there is one, their check digit. Pure.
//!
//! Whether a number was ever issued can't be told from it; a number that holds is taken at its
//! word, and kept with the order as evidence.

use super::model::TaxError;

/// Longest text that is looked at.
const MAX_TEXT: usize = 32;

/// A number that has the shape and the check digit of its member state.
#[derive(Clone, PartialEq, Eq)]
pub struct VatId {
    country: &'static str,
    text: String,
}

/// It may name a person, so logs don't.
impl std::fmt::Debug for VatId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VatId({}…)", self.country)
    }
}

type Holds = fn(&str) -> bool;

/// Prefix, country of ISO 3166-1, and the rule for what follows the prefix.
const RULES: [(&str, &str, Holds); 27] = [
    ("AT", "AT", austria),
    ("BE", "BE", belgium),
    ("BG", "BG", bulgaria),
    ("CY", "CY", cyprus),
    ("CZ", "CZ", czechia),
    ("DE", "DE", germany),
    ("DK", "DK", denmark),
    ("EE", "EE", estonia),
    ("EL", "GR", greece),
    ("ES", "ES", spain),
    ("FI", "FI", finland),
    ("FR", "FR", france),
    ("HR", "HR", croatia),
    ("HU", "HU", hungary),
    ("IE", "IE", ireland),
    ("IT", "IT", italy),
    ("LT", "LT", lithuania),
    ("LU", "LU", luxembourg),
    ("LV", "LV", latvia),
    ("MT", "MT", malta),
    ("NL", "NL", netherlands),
    ("PL", "PL", poland),
    ("PT", "PT", portugal),
    ("RO", "RO", romania),
    ("SE", "SE", sweden),
    ("SI", "SI", slovenia),
    ("SK", "SK", slovakia),
];

impl VatId {
    /// Reads a number with its prefix; blanks, dots and dashes don't matter, nor do capitals.
    pub fn parse(text: &str) -> Result<Self, TaxError> {
        if text.len() > MAX_TEXT {
            return Err(TaxError::VatId);
        }
        let kept = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-'));
        let text: String = kept.map(|c| c.to_ascii_uppercase()).collect();
        let (prefix, body) = text.split_at_checked(2).ok_or(TaxError::VatId)?;
        let rule = RULES.iter().find(|(known, _, _)| *known == prefix);
        match rule {
            Some((_, country, holds)) if body.is_ascii() && holds(body) => Ok(Self {
                country,
                text: text.clone(),
            }),
            _ => Err(TaxError::VatId),
        }
    }

    /// The member state, by ISO 3166-1: `GR` where the prefix is `EL`.
    pub const fn country(&self) -> &'static str {
        self.country
    }

    /// With its prefix, in capitals and without blanks.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The digits of a text of exactly `count` of them.
fn digits(body: &str, count: usize) -> Option<Vec<u32>> {
    let digits: Option<Vec<_>> = body.chars().map(|c| c.to_digit(10)).collect();
    digits.filter(|digits| digits.len() == count)
}

/// Runs a rule on exactly `count` digits.
fn on_digits(body: &str, count: usize, rule: impl Fn(&[u32]) -> bool) -> bool {
    digits(body, count).is_some_and(|digits| rule(&digits))
}

/// The sum of digits times weights, as far as both go.
fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    let pairs = digits.iter().zip(weights);
    pairs.map(|(digit, weight)| digit * weight).sum()
}

fn number(digits: &[u32]) -> u64 {
    digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(*digit))
}

fn last(digits: &[u32]) -> u32 {
    digits.last().copied().unwrap_or_default()
}

fn first(digits: &[u32]) -> u32 {
    digits.first().copied().unwrap_or_default()
}

/// A digit doubled, and the digits of that added.
const fn doubled(digit: u32) -> u32 {
    match digit * 2 {
        two if two > 9 => two - 9,
        one => one,
    }
}

/// Every second digit from the right is doubled; all add up to a multiple of ten.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = (digits.iter().rev().enumerate())
        .map(|(at, digit)| match at % 2 {
            0 => *digit,
            _ => doubled(*digit),
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064, MOD 11,10.
fn mod_11_10(digits: &[u32]) -> bool {
    let Some((check, rest)) = digits.split_last() else {
        return false;
    };
    let product = rest.iter().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

const FROM_NINE: [u32; 8] = [9, 8, 7, 6, 5, 4, 3, 2];
const FROM_EIGHT: [u32; 7] = [8, 7, 6, 5, 4, 3, 2];

fn austria(body: &str) -> bool {
    let rest = body.strip_prefix('U').unwrap_or_default();
    on_digits(rest, 8, |d| {
        let sum: u32 = (d.iter().take(7).enumerate())
            .map(|(at, digit)| match at % 2 {
                0 => *digit,
                _ => doubled(*digit),
            })
            .sum();
        (100 - (sum + 4)) % 10 == last(d)
    })
}

fn belgium(body: &str) -> bool {
    on_digits(body, 10, |d| {
        first(d) < 2 && 97 - number(&d[..8]) % 97 == number(&d[8..])
    })
}

fn bulgaria(body: &str) -> bool {
    let company = |d: &[u32]| {
        let check = match weighted(d, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11 {
            10 => weighted(d, &[3, 4, 5, 6, 7, 8, 9, 10]) % 11 % 10,
            check => check,
        };
        check == last(d)
    };
    let person = |d: &[u32]| {
        let citizen = weighted(d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
        let foreigner = weighted(d, &[21, 19, 17, 13, 11, 9, 7, 3, 1]) % 10;
        let other = (11 - weighted(d, &[4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        [citizen, foreigner, other].contains(&last(d))
    };
    on_digits(body, 9, company) || on_digits(body, 10, person)
}

fn cyprus(body: &str) -> bool {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let Some((rest, letter)) = body.split_at_checked(8) else {
        return false;
    };
    on_digits(rest, 8, |d| {
        let value = |(at, digit): (usize, &u32)| match at % 2 {
            0 => ODD.get(*digit as usize).copied().unwrap_or_default(),
            _ => *digit,
        };
        let sum: u32 = d.iter().enumerate().map(value).sum();
        let check = char::from_u32(u32::from(b'A') + sum % 26);
        !rest.starts_with("12") && letter.chars().eq(check)
    })
}

fn czechia(body: &str) -> bool {
    const SPECIAL: [u32; 11] = [8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 8];
    let company = |d: &[u32]| first(d) != 9 && (11 - weighted(d, &FROM_EIGHT) % 11) % 10 == last(d);
    let special = |d: &[u32]| {
        let missing = 11 - weighted(&d[1..], &FROM_EIGHT) % 11;
        let check = SPECIAL.get(missing as usize - 1);
        first(d) == 6 && check == Some(&last(d))
    };
    // Numbers of people born until 1953 have nine digits and no check.
    let old = |d: &[u32]| number(&d[..2]) <= 53 && birthday(d);
    on_digits(body, 8, company)
        || on_digits(body, 9, |d| special(d) || old(d))
        || on_digits(body, 10, birth_number)
}

/// A number of a person born since 1954.
fn birth_number(d: &[u32]) -> bool {
    let check = number(&d[..9]) % 11 % 10;
    birthday(d) && check == u64::from(last(d))
}

/// Whether the third to sixth digit are a month, which may have 20, 50 or 70 added, and a day.
fn birthday(d: &[u32]) -> bool {
    let (month, day) = (number(&d[2..4]), number(&d[4..6]));
    let added = [0, 20, 50, 70].into_iter();
    let mut months = added.filter_map(|added| month.checked_sub(added));
    months.any(|month| (1..=12).contains(&month)) && (1..=31).contains(&day)
}

fn germany(body: &str) -> bool {
    on_digits(body, 9, |d| first(d) != 0 && mod_11_10(d))
}

fn denmark(body: &str) -> bool {
    on_digits(body, 8, |d| {
        first(d) != 0 && weighted(d, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
    })
}

fn estonia(body: &str) -> bool {
    on_digits(body, 9, |d| {
        weighted(d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
    })
}

fn greece(body: &str) -> bool {
    on_digits(body, 9, |d| {
        weighted(d, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == last(d)
    })
}

fn spain(body: &str) -> bool {
    const PERSON: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    const COMPANY: &[u8] = b"JABCDEFGHI";
    let bytes = body.as_bytes();
    let &[head, .., tail] = bytes else {
        return false;
    };
    let Some(middle) = body.get(1..8).and_then(|middle| digits(middle, 7)) else {
        return false;
    };
    if bytes.len() != 9 {
        return false;
    }
    let person = |number: u64| PERSON.get((number % 23) as usize) == Some(&tail);
    let ahead = |lead: u64| person(lead * 10_000_000 + number(&middle));
    match head {
        b'0'..=b'9' => ahead(u64::from(head - b'0')),
        b'X' | b'K' | b'L' | b'M' => ahead(0),
        b'Y' => ahead(1),
        b'Z' => ahead(2),
        _ => {
            let sum: u32 = (middle.iter().enumerate())
                .map(|(at, digit)| match at % 2 {
                    0 => doubled(*digit),
                    _ => *digit,
                })
                .sum();
            let check = (10 - sum % 10) % 10;
            let by_digit = u32::from(tail) == u32::from(b'0') + check;
            let by_letter = COMPANY.get(check as usize) == Some(&tail);
            match head {
                b'A' | b'B' | b'E' | b'H' => by_digit,
                b'N' | b'P' | b'Q' | b'R' | b'S' | b'W' => by_letter,
                b'C' | b'D' | b'F' | b'G' | b'J' | b'U' | b'V' => by_digit || by_letter,
                _ => false,
            }
        }
    }
}

fn finland(body: &str) -> bool {
    on_digits(body, 8, |d| {
        weighted(d, &[7, 9, 10, 5, 8, 4, 2, 1]).is_multiple_of(11)
    })
}

fn france(body: &str) -> bool {
    const SIGNS: &[u8] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let Some((key, siren)) = body.split_at_checked(2) else {
        return false;
    };
    let Some(siren) = digits(siren, 9) else {
        return false;
    };
    // Monaco's companies have French numbers that begin with zeros and are no SIREN.
    if !luhn(&siren) && siren[..3] != [0, 0, 0] {
        return false;
    }
    let siren = number(&siren);
    if let Some(key) = digits(key, 2) {
        return number(&key) == (siren * 100 + 12) % 97;
    }
    let place = |byte: &u8| SIGNS.iter().position(|sign| sign == byte);
    let places: Option<Vec<_>> = key.bytes().map(|byte| place(&byte)).collect();
    let Some(&[one, two]) = places.as_deref() else {
        return false;
    };
    let key = match one < 10 {
        true => (one * 24 + two).checked_sub(10),
        false => (one * 34 + two).checked_sub(100),
    };
    key.is_some_and(|key| (siren + key as u64 / 11 + 1) % 11 == key as u64 % 11)
}

fn croatia(body: &str) -> bool {
    on_digits(body, 11, mod_11_10)
}

fn hungary(body: &str) -> bool {
    on_digits(body, 8, |d| {
        weighted(d, &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10)
    })
}

fn ireland(body: &str) -> bool {
    const LETTERS: &[u8] = b"WABCDEFGHIJKLMNOPQRSTUV";
    let value = |byte: u8| LETTERS.iter().position(|letter| *letter == byte);
    let holds = |seven: &str, check: u8, more: u8| {
        let (Some(d), Some(more)) = (digits(seven, 7), value(more)) else {
            return false;
        };
        let sum = weighted(&d, &FROM_EIGHT) as usize + 9 * more;
        value(check) == Some(sum % 23)
    };
    let seven = body.get(..7).unwrap_or_default();
    match *body.as_bytes() {
        // The old shape has a sign in its second place, and counts as if it stood behind.
        [one, b'A'..=b'Z' | b'+' | b'*', .., check] if body.len() == 8 => {
            let rest = body.get(2..7).unwrap_or_default();
            holds(&format!("0{rest}{}", char::from(one)), check, b'W')
        }
        [.., check] if body.len() == 8 => holds(seven, check, b'W'),
        [.., check, more @ (b'A'..=b'I' | b'W')] if body.len() == 9 => holds(seven, check, more),
        _ => false,
    }
}

fn italy(body: &str) -> bool {
    on_digits(body, 11, |d| {
        let office = number(&d[7..10]);
        let known = (1..=100).contains(&office) || [120, 121, 888, 999].contains(&office);
        number(&d[..7]) != 0 && known && luhn(d)
    })
}

fn lithuania(body: &str) -> bool {
    let check = |d: &[u32]| {
        let cycle = |from: usize| {
            let weights = (0..).map(|at| (from + at - 1) as u32 % 9 + 1);
            let pairs = d.iter().take(d.len() - 1).zip(weights);
            pairs.map(|(digit, weight)| digit * weight).sum::<u32>() % 11
        };
        let check = match cycle(1) {
            10 => cycle(3) % 10,
            check => check,
        };
        check == last(d)
    };
    on_digits(body, 9, |d| d[7] == 1 && check(d)) || on_digits(body, 12, |d| d[10] == 1 && check(d))
}

fn luxembourg(body: &str) -> bool {
    on_digits(body, 8, |d| number(&d[..6]) % 89 == number(&d[6..]))
}

fn latvia(body: &str) -> bool {
    on_digits(body, 11, |d| {
        let company = || weighted(d, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11 == 3;
        let person = || {
            let sum = weighted(d, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
            (1 + sum) % 11 % 10 == last(d)
        };
        if first(d) > 3 { company() } else { person() }
    })
}

fn malta(body: &str) -> bool {
    on_digits(body, 8, |d| {
        first(d) != 0 && weighted(d, &[3, 4, 6, 7, 8, 9, 10, 1]).is_multiple_of(37)
    })
}

fn netherlands(body: &str) -> bool {
    let Some((front, back)) = body.split_at_checked(9) else {
        return false;
    };
    let Some(front) = digits(front, 9) else {
        return false;
    };
    let Some(back) = back.strip_prefix('B').and_then(|back| digits(back, 2)) else {
        return false;
    };
    if number(&back) == 0 {
        return false;
    }
    let company = weighted(&front, &FROM_NINE) % 11 == last(&front);
    // Since 2020 for people: N is 23, L is 21, B is 11, and the whole is 1 modulo 97.
    let digits = [2, 3, 2, 1].into_iter().chain(front.iter().copied());
    let digits = digits.chain([1, 1]).chain(back.iter().copied());
    let rest = digits.fold(0, |rest, digit| (rest * 10 + digit) % 97);
    company || rest == 1
}

fn poland(body: &str) -> bool {
    on_digits(body, 10, |d| {
        weighted(d, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == last(d)
    })
}

fn portugal(body: &str) -> bool {
    on_digits(body, 9, |d| {
        first(d) != 0 && (11 - weighted(d, &FROM_NINE) % 11) % 11 % 10 == last(d)
    })
}

fn romania(body: &str) -> bool {
    if !(2..=10).contains(&body.len()) || body.starts_with('0') {
        return false;
    }
    on_digits(&format!("{body:0>10}"), 10, |d| {
        weighted(d, &[7, 5, 3, 2, 1, 7, 5, 3, 2]) * 10 % 11 % 10 == last(d)
    })
}

fn sweden(body: &str) -> bool {
    on_digits(body, 12, |d| {
        (1..=94).contains(&number(&d[10..])) && luhn(&d[..10])
    })
}

fn slovenia(body: &str) -> bool {
    on_digits(body, 8, |d| {
        let missing = 11 - weighted(d, &FROM_EIGHT) % 11;
        first(d) != 0 && missing != 11 && missing % 10 == last(d)
    })
}

fn slovakia(body: &str) -> bool {
    on_digits(body, 10, |d| {
        let third = [2, 3, 4, 7, 8, 9].contains(&d[2]);
        let company = first(d) != 0 && third && number(d).is_multiple_of(11);
        company || birth_number(d)
    })
}

#[cfg(test)]
#[path = "vat_id_tests.rs"]
mod tests;
