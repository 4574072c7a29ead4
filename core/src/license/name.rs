//! Names of what is licensed, and version numbers.

use std::fmt;
use std::str::FromStr;

use crate::document::cbor::Value;
use crate::error::{Error, Result};

/// The most bytes of a product code, a name or a value.
pub(super) const MAX_NAME: usize = 80;

/// The name of an entitlement or quota: a text, or a number that the product's schema explains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// A number, written `#3`: two bytes shorter in the document than most names.
    Number(u32),
    /// A text such as `export-4k`.
    Text(String),
}

impl Name {
    pub(super) fn to_value(&self) -> Value<'_> {
        match self {
            Self::Number(number) => Value::Int(i64::from(*number)),
            Self::Text(text) => Value::text(text),
        }
    }

    pub(super) fn from_value(value: &Value<'_>) -> Result<Self> {
        match value {
            Value::Int(number) => u32::try_from(*number)
                .map(Self::Number)
                .map_err(|_| unfit()),
            _ => check_name(value.as_text()?).map(|text| Self::Text(text.to_owned())),
        }
    }
}

fn unfit() -> Error {
    Error::new(
        "malformed",
        "a name has 1 to 80 letters, digits or . _ - + : / characters",
    )
}

/// Passes names of 1 to 80 bytes without spaces, quotes or control characters.
pub(crate) fn check_name(text: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+:/".contains(&byte);
    if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(plain) {
        return Err(unfit());
    }
    Ok(text)
}

impl FromStr for Name {
    type Err = Error;

    /// Reads `export-4k` or `#3`; `malformed` otherwise.
    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix('#') {
            Some(number) => number.parse().map(Self::Number).map_err(|_| unfit()),
            None => check_name(text).map(|text| Self::Text(text.to_owned())),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "#{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A version as up to four numbers: `2`, `2.4.1`. What follows `-` or `+` is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u32; 4]);

impl FromStr for Version {
    type Err = Error;

    /// Reads dotted numbers; missing ones are zero. `malformed` otherwise.
    fn from_str(text: &str) -> Result<Self> {
        let unfit = || Error::new("malformed", "a version looks like 2, 2.4 or 2.4.1");
        let core = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = [0; 4];
        for (index, part) in core.split('.').enumerate() {
            let slot = numbers.get_mut(index).ok_or_else(unfit)?;
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            *slot = part.parse().ok().filter(|_| digits).ok_or_else(unfit)?;
        }
        Ok(Self(numbers))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self
            .0
            .iter()
            .rposition(|&number| number > 0)
            .map_or(1, |last| last + 1);
        let parts: Vec<String> = self.0[..used].iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<Version>().expect("a version");
        assert!(version("2.10") > version("2.9.9"));
        assert_eq!(version("3"), version("3.0.0-beta.1"));
        assert_eq!(version("2.4.0").to_string(), "2.4");
        for bad in ["", ".", "v2", "1..2", "1.2.3.4.5", "+1", "99999999999"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_plain() {
        assert_eq!("#3".parse(), Ok(Name::Number(3)));
        for good in ["export-4k", "debian.g++", &"x".repeat(80)] {
            assert_eq!(good.parse(), Ok(Name::Text(good.into())));
        }
        for bad in ["", "a b", "ü", "#", "#x", "a\"b", &"x".repeat(81)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
