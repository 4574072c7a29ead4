//! API keys and sellers' tokens: secrets that say what they are and notice typing mistakes.
//!
//! A prefix that scanners for leaked secrets can look for, 128 random bits as 26 characters of
//! lower-case Crockford base32, and six characters that check the rest: a mistyped or cut key is
//! refused before anything is looked up. `mt[ks]_[0-9a-hjkmnp-tv-z]{32}` finds them all.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::id;

const CHECKS: usize = 6;
const BODY: usize = 26;
const PREFIX: usize = 4;
/// Characters that may be shown of a secret, to tell it from others: the prefix and five more.
const SHOWN: usize = 9;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A customer's key for a seller's API.
    ApiKey,
    /// What a seller's backend shows to the house.
    Seller,
}

impl TokenKind {
    /// What the text starts with: `mtk_` or `mts_`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "mtk_",
            Self::Seller => "mts_",
        }
    }
}

/// A secret token; never printed by `Debug`, wiped when dropped.
///
/// ```
/// use mintreu::gateway::{Token, TokenKind};
/// let key = Token::new(TokenKind::ApiKey, [7; 16]);
/// assert!(key.reveal().starts_with("mtk_"));
/// assert!(Token::parse(TokenKind::ApiKey, key.reveal()).is_ok());
/// let mistyped = key.reveal().replace('7', "8");
/// assert_eq!(Token::parse(TokenKind::ApiKey, &mistyped).unwrap_err().code(), "token_mistyped");
/// ```
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// The token of sixteen random bytes.
    pub fn new(kind: TokenKind, random: [u8; 16]) -> Self {
        let body = Zeroizing::new(id::encode(&random));
        let text = format!("{}{}{}", kind.prefix(), *body, checks(kind, &body));
        Self(Zeroizing::new(text))
    }

    /// A token from the operating system's randomness; `no_randomness` where there is none.
    pub fn generate(kind: TokenKind) -> Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| {
            Error::new("no_randomness", "the system gave no randomness for a token")
        })?;
        Ok(Self::new(kind, random))
    }

    /// Reads a token as it was given; `token_mistyped` for anything that was never given.
    pub fn parse(kind: TokenKind, text: &str) -> Result<Self> {
        let text = text.trim();
        let body = text
            .strip_prefix(kind.prefix())
            .filter(|rest| rest.len() == BODY + CHECKS && rest.is_ascii())
            .map(|rest| rest.split_at(BODY));
        match body {
            Some((body, check)) if id::decode(body).is_some() && check == checks(kind, body) => {
                Ok(Self(Zeroizing::new(text.to_owned())))
            }
            _ => Err(Error::new(
                "token_mistyped",
                format!(
                    "this is no whole key: one has {} characters and starts with {}; copy it again",
                    PREFIX + BODY + CHECKS,
                    kind.prefix()
                ),
            )),
        }
    }

    /// The text, for whoever presents or stores it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The first characters, which tell it from others and give nothing away.
    pub fn shown(&self) -> &str {
        &self.0[..SHOWN]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}…)", &self.0[..PREFIX])
    }
}

/// Thirty bits of a hash as six characters.
fn checks(kind: TokenKind, body: &str) -> String {
    let hash = Sha256::new()
        .chain_update(b"mintreu token ")
        .chain_update(kind.prefix())
        .chain_update(body)
        .finalize();
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&hash[..4]);
    bytes[12] &= 0x3f;
    id::encode(&bytes)[BODY - CHECKS..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_single_mistake_is_noticed() {
        let key = Token::new(TokenKind::ApiKey, *b"sixteen byte key");
        let parse = |text: &str| Token::parse(TokenKind::ApiKey, text);
        assert_eq!(
            parse(&format!(" {}\n", key.reveal())).unwrap().reveal(),
            key.reveal()
        );
        for at in 0..key.reveal().len() {
            for byte in b"0aZz_" {
                let mut bytes = key.reveal().as_bytes().to_vec();
                if bytes[at] != *byte {
                    bytes[at] = *byte;
                    let text = String::from_utf8(bytes).unwrap();
                    assert_eq!(parse(&text).unwrap_err().code(), "token_mistyped", "{text}");
                }
            }
            assert!(parse(&key.reveal()[..at]).is_err());
        }
        assert!(Token::parse(TokenKind::Seller, key.reveal()).is_err());
        let other = Token::new(TokenKind::Seller, *b"sixteen byte key");
        assert!(parse(&other.reveal().replace("mts_", "mtk_")).is_err());
        let secret = &key.reveal()[SHOWN..];
        assert!(!format!("{key:?}{}", key.shown()).contains(secret));
    }

    proptest! {
        #[test]
        fn what_was_made_is_read(random: [u8; 16]) {
            let key = Token::new(TokenKind::Seller, random);
            prop_assert!(Token::parse(TokenKind::Seller, key.reveal()).is_ok());
            prop_assert_eq!(key.reveal().len(), 36);
        }

        #[test]
        fn any_text_is_refused_or_whole(text in "(mtk_)?[0-9a-zé]{0,40}") {
            if let Ok(key) = Token::parse(TokenKind::ApiKey, &text) {
                prop_assert_eq!(key.reveal(), text.trim());
            }
        }
    }
}
