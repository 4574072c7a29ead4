//! How hard a key is to guess: a simple estimate, on the low side.
//!
//! What all keys of a file begin with counts nothing, nor do separators. Every other character is
//! worth the logarithm of how many there are of its sort; one that repeats its predecessor, or
//! continues it up or down, is worth one bit. Sorts are chosen by all that counts: digits alone 3.32
//! bits a character, hexadecimal 4, one case of letters 4.70, with digits 5.17, both cases 5.70,
//! with digits 5.95, anything else 6.55.

/// Bits below which a key is weak.
pub(super) const ENOUGH_BITS: u32 = 40;

/// Whether guessing this key is a matter of patience.
pub(super) fn is_weak(key: &str, shared: &str) -> bool {
    bits(key.strip_prefix(shared).unwrap_or(key)) < ENOUGH_BITS
}

/// The beginning that all of these have in common; none for fewer than two.
pub(super) fn shared_beginning<'a>(mut keys: impl Iterator<Item = &'a str>) -> &'a str {
    let Some(first) = keys.next() else { return "" };
    let mut shared = None;
    for key in keys.filter(|key| *key != first) {
        let so_far: &str = shared.unwrap_or(first);
        let same = so_far.chars().zip(key.chars()).take_while(|(a, b)| a == b);
        let length = same.map(|(a, _)| a.len_utf8()).sum();
        shared = Some(&so_far[..length]);
    }
    shared.unwrap_or("")
}

fn bits(key: &str) -> u32 {
    let separates = |c: &char| matches!(c, '-' | '_' | '.' | ' ' | ':' | '/');
    let counted: Vec<char> = key.chars().filter(|c| !separates(c)).collect();
    let worth = hundredths(&counted);
    let mut sum = 0_u32;
    for (index, c) in counted.iter().enumerate() {
        let before = index.checked_sub(1).map(|at| counted[at]);
        let follows = before.is_some_and(|before| u32::from(*c).abs_diff(before.into()) <= 1);
        sum = sum.saturating_add(if follows { 100 } else { worth });
    }
    sum / 100
}

/// Hundredths of a bit that a character of this sort is worth.
fn hundredths(key: &[char]) -> u32 {
    let all = |is: fn(&char) -> bool| key.iter().all(is);
    if all(char::is_ascii_digit) {
        332
    } else if all(|c| matches!(c, '0'..='9' | 'a'..='f'))
        || all(|c| matches!(c, '0'..='9' | 'A'..='F'))
    {
        400
    } else if all(char::is_ascii_lowercase) || all(char::is_ascii_uppercase) {
        470
    } else if all(|c| matches!(c, '0'..='9' | 'a'..='z'))
        || all(|c| matches!(c, '0'..='9' | 'A'..='Z'))
    {
        517
    } else if all(char::is_ascii_alphabetic) {
        570
    } else if all(char::is_ascii_alphanumeric) {
        595
    } else {
        655
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_keys_are_strong_and_counted_ones_weak() {
        for strong in [
            "38b1460a-5104-4067-a91d-77b872934d51",
            "C1B6DE39-A6E39DE1-529D8559-A0D4AF59",
            "K7QX2-M9RTD-W3ZHB",
            "gXp4TzQ8",
        ] {
            assert!(!is_weak(strong, ""), "{strong}: {}", bits(strong));
        }
        for weak in [
            "000000000000000000",
            "abcdefghijklmnop",
            "123456",
            "ACME-1",
            "97531864",
        ] {
            assert!(is_weak(weak, ""), "{weak}: {}", bits(weak));
        }
        assert_eq!(
            (bits("7"), bits("72"), bits("77"), bits("78")),
            (3, 6, 4, 4)
        );
        assert_eq!(bits("a-c_e"), bits("ace"));
    }

    #[test]
    fn what_all_begin_with_is_known_to_all() {
        let keys = ["SHOP-KEYS-0017", "SHOP-KEYS-0942", "SHOP-KEYS-0017"];
        let shared = shared_beginning(keys.into_iter());
        assert_eq!(shared, "SHOP-KEYS-0");
        assert!(!is_weak("SHOP-KEYS-0942", "") && is_weak("SHOP-KEYS-0942", shared));
        assert_eq!(shared_beginning(["one"].into_iter()), "");
        assert_eq!(shared_beginning(["one", "one"].into_iter()), "");
        assert_eq!(shared_beginning(["é1", "é2", "e3"].into_iter()), "");
        assert_eq!(shared_beginning(["é1", "é2"].into_iter()), "é");
        assert_eq!(shared_beginning(std::iter::empty()), "");
    }
}
