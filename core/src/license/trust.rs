//! What a product pins: the roots it believes and which product it is.

use std::fmt;
use std::str::FromStr;

use super::name::check_name;
use crate::document::PublicKey;
use crate::error::{Error, Result};

/// The pinned root keys, the product and the lowest key set accepted.
///
/// Its text is a constant of the program that embeds the engine:
/// `mt1-trust product=acme.editor root=MT1K-… spare=MT1K-… keyset=3`. Never read it from a file
/// that a user can write: whoever chooses the root can forge every license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    product: Option<String>,
    root: PublicKey,
    spare: Option<PublicKey>,
    least_key_set: u64,
}

const HEAD: &str = "mt1-trust";

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new("malformed", detail)
}

impl Trust {
    /// Trusts `root` for one product; `malformed` when the product's code isn't one.
    pub fn new(product: &str, root: PublicKey) -> Result<Self> {
        let product = Some(check_name(product)?.to_owned());
        Ok(Self {
            product,
            root,
            spare: None,
            least_key_set: 0,
        })
    }

    /// Trusts `root` whatever the product: for tools that look at documents, not for products.
    pub const fn for_any_product(root: PublicKey) -> Self {
        Self {
            product: None,
            root,
            spare: None,
            least_key_set: 0,
        }
    }

    /// Adds the spare root, which is kept apart from the first.
    #[must_use]
    pub const fn with_spare(mut self, spare: PublicKey) -> Self {
        self.spare = Some(spare);
        self
    }

    /// Refuses key sets older than version `least`.
    #[must_use]
    pub const fn with_least_key_set(mut self, least: u64) -> Self {
        self.least_key_set = least;
        self
    }

    /// The product's code; `None` for tools.
    pub fn product(&self) -> Option<&str> {
        self.product.as_deref()
    }

    /// The root keys: one or two.
    pub fn roots(&self) -> impl Iterator<Item = &PublicKey> {
        [Some(&self.root), self.spare.as_ref()]
            .into_iter()
            .flatten()
    }

    /// The lowest version of a key set that is accepted.
    pub const fn least_key_set(&self) -> u64 {
        self.least_key_set
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        if let Some(product) = &self.product {
            write!(f, " product={product}")?;
        }
        write!(f, " root={}", self.root)?;
        if let Some(spare) = &self.spare {
            write!(f, " spare={spare}")?;
        }
        if self.least_key_set > 0 {
            write!(f, " keyset={}", self.least_key_set)?;
        }
        Ok(())
    }
}

impl FromStr for Trust {
    type Err = Error;

    /// Reads the text form; product and root are needed, unknown or repeated words are refused.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > 1024 {
            return Err(Error::new(
                "too_large",
                "a trust has at most 1024 characters",
            ));
        }
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(HEAD) {
            return Err(malformed(
                "a trust looks like: mt1-trust product=… root=MT1K-…",
            ));
        }
        let (mut product, mut root, mut spare, mut key_set) = (None, None, None, None);
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let twice = match name {
                "product" => product.replace(check_name(value)?).is_some(),
                "root" => root.replace(value.parse::<PublicKey>()?).is_some(),
                "spare" => spare.replace(value.parse::<PublicKey>()?).is_some(),
                "keyset" => key_set.replace(key_set_version(value)?).is_some(),
                _ => return Err(malformed(format!("a trust has no {name:?}"))),
            };
            if twice {
                return Err(malformed(format!("the trust says {name} twice")));
            }
        }
        let product = product.ok_or_else(|| malformed("the trust names no product"))?;
        let root = root.ok_or_else(|| malformed("the trust names no root key"))?;
        let trust = Self {
            spare,
            ..Self::new(product, root)?
        };
        Ok(trust.with_least_key_set(key_set.unwrap_or(0)))
    }
}

fn key_set_version(text: &str) -> Result<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let version = text.parse().ok().filter(|_| digits);
    version.ok_or_else(|| malformed("keyset is a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::SigningKey;

    #[test]
    fn text_comes_back_and_mistakes_are_named() {
        let key = |seed| *SigningKey::from_seed(&[seed; 32]).public();
        let trust = Trust::new("acme.editor", key(1))
            .expect("a trust")
            .with_spare(key(2))
            .with_least_key_set(3);
        let text = trust.to_string();
        assert_eq!(text.parse(), Ok(trust));
        let root = key(1);
        for bad in [
            String::new(),
            "mt1-trust".into(),
            "mt1-trust product=acme".into(),
            format!("mt1-trust root={root}"),
            format!("mt1-trust product=a product=b root={root}"),
            format!("mt1-trust product=a root={root} colour=red"),
            format!("mt1-trust product=a root={root}x"),
            format!("mt1-trust product=a root={root} keyset=-1"),
            format!("mt1-trust product=a root={root} keyset=+1"),
        ] {
            assert_eq!(
                bad.parse::<Trust>().map_err(|e| e.code()),
                Err("malformed"),
                "{bad}"
            );
        }
    }
}
