//! The cookies: a session's token, a guest's secret for forms, a guest's cart, and
//! who brought a visitor.

use crate::config::Config;
use axum::http::{HeaderMap, HeaderValue, header};

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// The token of a session.
    Session,
    /// What a guest's form tokens hang on.
    Guest,
    /// A guest's cart: its id, sealed.
    Cart,
    /// The clicks on affiliates' links that brought a visitor, sealed.
    Referral,
}

/// For how long a guest's cart is remembered: thirty days, in seconds.
const CART_AGE: u32 = 30 * 24 * 60 * 60;
/// For how long a click is remembered at most: ninety days. How long it earns is kept with it.
const REFERRAL_AGE: u32 = 90 * 24 * 60 * 60;

impl Cookie {
    /// Its name: over HTTPS with the prefix that binds it to this very host.
    pub fn name(self, config: &Config) -> &'static str {
        match (self, config.server.is_https()) {
            (Self::Session, true) => "__Host-mintreu-session",
            (Self::Session, false) => "mintreu-session",
            (Self::Guest, true) => "__Host-mintreu-guest",
            (Self::Guest, false) => "mintreu-guest",
            (Self::Cart, true) => "__Host-mintreu-cart",
            (Self::Cart, false) => "mintreu-cart",
            (Self::Referral, true) => "__Host-mintreu-via",
            (Self::Referral, false) => "mintreu-via",
        }
    }

    /// Its value in a request; one that isn't a token of ours counts as none.
    pub fn read<'h>(self, config: &Config, headers: &'h HeaderMap) -> Option<&'h str> {
        let name = self.name(config);
        let lines = headers.get_all(header::COOKIE).iter();
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value)
            .filter(|value| is_token(value))
    }

    /// A `Set-Cookie` header that sets it. `value` is a token of ours: base64url.
    pub fn set(self, config: &Config, value: &str) -> HeaderValue {
        let age = match self {
            Self::Session => format!("; Max-Age={}", config.sessions.absolute),
            // A guest's ends with the browser.
            Self::Guest => String::new(),
            Self::Cart => format!("; Max-Age={CART_AGE}"),
            Self::Referral => format!("; Max-Age={REFERRAL_AGE}"),
        };
        self.header(config, value, &age)
    }

    /// A `Set-Cookie` header that removes it.
    pub fn clear(self, config: &Config) -> HeaderValue {
        self.header(config, "", "; Max-Age=0")
    }

    fn header(self, config: &Config, value: &str, age: &str) -> HeaderValue {
        let name = self.name(config);
        let secure = if config.server.is_https() {
            "; Secure"
        } else {
            ""
        };
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

fn is_token(value: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (16..=128).contains(&value.len()) && value.bytes().all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_bound_to_their_host_over_https() {
        let mut config = Config::defaults();
        let plain = Cookie::Session.set(&config, "token");
        assert!(
            plain
                .to_str()
                .unwrap()
                .starts_with("mintreu-session=token; Path=/; HttpOnly")
        );
        config.server.base_url = "https://shop.example".to_owned();
        let secure = Cookie::Session.set(&config, "token");
        let secure = secure.to_str().unwrap();
        assert!(secure.starts_with("__Host-mintreu-session=") && secure.contains("; Secure"));
        let mut headers = HeaderMap::new();
        let given = "a=b; __Host-mintreu-session=0123456789abcdef; mintreu-session=x";
        headers.insert(header::COOKIE, HeaderValue::from_static(given));
        assert_eq!(
            Cookie::Session.read(&config, &headers),
            Some("0123456789abcdef")
        );
        assert_eq!(Cookie::Guest.read(&config, &headers), None);
    }
}
