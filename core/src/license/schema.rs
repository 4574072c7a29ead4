//! Numbers for names, so that licenses get short.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::name::check_name;
use super::{Claims, Name};
use crate::error::{Error, Result};

const HEAD: &str = "mt1-schema";
/// The most names, which bounds the text too.
const MAX_NAMES: usize = 1024;
const MAX_TEXT: usize = 128 << 10;

/// A product's table of names and the numbers that stand for them in its licenses.
///
/// Its text is a constant of the program, as the trust is: `mt1-schema export-4k=1 renders=2`.
/// Numbers are never given to another name: licenses that use them are out there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    numbers: BTreeMap<String, u32>,
    names: BTreeMap<u32, String>,
}

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new("malformed", detail)
}

impl Schema {
    /// Lets `number` stand for `name`; `malformed` when one of them is taken already.
    pub fn with(mut self, name: &str, number: u32) -> Result<Self> {
        let name = check_name(name)?;
        if self.numbers.len() == MAX_NAMES {
            return Err(malformed("a schema has at most 1024 names"));
        }
        let twice = self.numbers.insert(name.to_owned(), number).is_some()
            || self.names.insert(number, name.to_owned()).is_some();
        if twice {
            return Err(malformed(format!(
                "the schema has {name:?} or {number} twice"
            )));
        }
        Ok(self)
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse()
    }

    fn shorten(&self, name: &Name) -> Name {
        let number = match name {
            Name::Text(text) => self.numbers.get(text),
            Name::Number(_) => None,
        };
        number.map_or_else(|| name.clone(), |&number| Name::Number(number))
    }

    fn lengthen(&self, name: &Name) -> Name {
        let text = match name {
            Name::Number(number) => self.names.get(number),
            Name::Text(_) => None,
        };
        text.map_or_else(|| name.clone(), |text| Name::Text(text.clone()))
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.names
            .iter()
            .try_for_each(|(number, name)| write!(f, " {name}={number}"))
    }
}

impl FromStr for Schema {
    type Err = Error;

    /// Reads the text form; a name or a number that comes twice is refused.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > MAX_TEXT {
            return Err(Error::new("too_large", "a schema has at most 128 KiB"));
        }
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(HEAD) {
            return Err(malformed("a schema looks like: mt1-schema export-4k=1"));
        }
        words.try_fold(Self::default(), |schema, word| {
            let (name, number) = word.split_once('=').unwrap_or((word, ""));
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.parse().ok().filter(|_| digits);
            let number = number
                .ok_or_else(|| malformed(format!("the schema gives {name:?} no whole number")))?;
            schema.with(name, number)
        })
    }
}

impl Claims {
    /// The claims with the schema's numbers in place of names: what is issued.
    ///
    /// `malformed` when a name and its number are both there already.
    pub fn shortened(self, schema: &Schema) -> Result<Self> {
        self.renamed(|name| schema.shorten(name))
    }

    /// The claims with the schema's names in place of numbers: what a product reads.
    ///
    /// `malformed` when a number and its name are both there already.
    pub fn lengthened(self, schema: &Schema) -> Result<Self> {
        self.renamed(|name| schema.lengthen(name))
    }

    fn renamed(mut self, rename: impl Fn(&Name) -> Name) -> Result<Self> {
        self.entitlements = renamed(self.entitlements, &rename)?;
        self.quotas = renamed(self.quotas, &rename)?;
        Ok(self)
    }
}

fn renamed<T>(map: BTreeMap<Name, T>, rename: impl Fn(&Name) -> Name) -> Result<BTreeMap<Name, T>> {
    let count = map.len();
    let renamed: BTreeMap<_, _> = map
        .into_iter()
        .map(|(name, value)| (rename(&name), value))
        .collect();
    if renamed.len() < count {
        return Err(malformed(
            "the license says the same under a name and under its number",
        ));
    }
    Ok(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LicenseId;
    use crate::license::Entitlement;
    use crate::time::Timestamp;

    #[test]
    fn text_comes_back_and_mistakes_are_named() {
        let text = "mt1-schema export-4k=1 renders=2 seats/eu=4294967295";
        let schema = Schema::parse(text).expect("a schema");
        assert_eq!(schema.to_string(), text);
        assert_eq!(Schema::parse("mt1-schema"), Ok(Schema::default()));
        for bad in [
            "",
            "schema a=1",
            "mt1-schema a",
            "mt1-schema a=",
            "mt1-schema =1",
            "mt1-schema a=-1",
            "mt1-schema a=+1",
            "mt1-schema a=4294967296",
            "mt1-schema a=1 a=2",
            "mt1-schema a=1 b=1",
            "mt1-schema #1=1",
        ] {
            let found = Schema::parse(bad).map_err(|error| error.code());
            assert_eq!(found, Err("malformed"), "{bad}");
        }
        let long = format!("mt1-schema {}", "a".repeat(MAX_TEXT));
        assert_eq!(Schema::parse(&long).map_err(|e| e.code()), Err("too_large"));
        let many: Vec<_> = (0..=MAX_NAMES).map(|n| format!("n{n}={n}")).collect();
        assert!(Schema::parse(&format!("mt1-schema {}", many.join(" "))).is_err());
    }

    #[test]
    fn names_shorten_and_lengthen_and_never_merge() {
        let schema = Schema::parse("mt1-schema export-4k=1").expect("a schema");
        let with = |names: &[&str]| {
            let id = LicenseId::from_bytes([1; 16]);
            let mut claims = Claims::new(id, "p", Timestamp::from_secs(9));
            for name in names {
                let name = name.parse().expect("a name");
                claims.entitlements.insert(name, Entitlement::Granted);
            }
            claims
        };
        let short = with(&["export-4k", "other", "#7"]).shortened(&schema);
        assert_eq!(short, Ok(with(&["#1", "other", "#7"])));
        let long = with(&["#1", "other", "#7"]).lengthened(&schema);
        assert_eq!(long, Ok(with(&["export-4k", "other", "#7"])));
        let both = with(&["#1", "export-4k"]);
        assert!(both.clone().shortened(&schema).is_err());
        assert!(both.lengthened(&schema).is_err());
    }
}
