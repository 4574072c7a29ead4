//! Where a stranger may send us: to public addresses by TLS, never into our own network.
//!
//! Invariants
//! * Public is what is known to be public; of IPv6 that is 2000::/3 less what is set aside in it, so
//!   an IPv4 address in IPv6's clothes isn't.
//! * What a name looks like decides nothing in its favour: its addresses are judged too.

use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a request on a stranger's behalf may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, by https.
    Public,
    /// This machine too, and by http there: for the demonstration and tests.
    ThisMachine,
}

/// Why nothing is sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not https.
    #[error("it must begin with https://")]
    Scheme,
    /// Longer than we keep.
    #[error("it is too long")]
    TooLong,
    /// No address that can be read.
    #[error("it can't be read as an address")]
    Malformed,
    /// A name or password before the host.
    #[error("it must hold no user name and no password")]
    Credentials,
    /// Something behind `#`.
    #[error("it must hold no part after #")]
    Fragment,
    /// An address or a name that isn't of the public internet.
    #[error("it must lead to a public host")]
    NotPublic,
}

/// The address that `text` is, if a request may be sent there as far as can be told from the text:
/// what its name stands for is judged by [`may_reach`] when it is sent.
pub fn checked(text: &str, reach: Reach) -> Result<Url, Refused> {
    let rest = after_scheme(text)?;
    if text.contains('#') {
        return Err(Refused::Fragment);
    }
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if rest.starts_with('/') || text.contains(odd) {
        return Err(Refused::Malformed);
    }
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    if authority.contains('@') {
        return Err(Refused::Credentials);
    }
    let url = Url::parse(text).map_err(|_| Refused::Malformed)?;
    if url.port() == Some(0) {
        return Err(Refused::Malformed);
    }
    let host = url.host_str().ok_or(Refused::Malformed)?;
    if is_this_machine(host) && reach == Reach::ThisMachine {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err(Refused::Scheme);
    }
    let public = match literal(host) {
        Some(ip) => is_public(ip),
        None => may_be_public(host),
    };
    if public {
        Ok(url)
    } else {
        Err(Refused::NotPublic)
    }
}

fn after_scheme(text: &str) -> Result<&str, Refused> {
    let (scheme, rest) = text.split_once("://").ok_or(Refused::Scheme)?;
    let known = ["https", "http"];
    match known.iter().any(|name| scheme.eq_ignore_ascii_case(name)) {
        true => Ok(rest),
        false => Err(Refused::Scheme),
    }
}

/// The IP address that a host is; of IPv6 in brackets.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

fn is_this_machine(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    literal(host).is_some_and(|ip| ip.is_loopback())
        || name == "localhost"
        || name.ends_with(".localhost")
}

/// Names that no public name server answers for, whatever ours says.
fn may_be_public(host: &str) -> bool {
    const PRIVATE: [&str; 6] = [
        ".localhost",
        ".local",
        ".internal",
        ".home.arpa",
        ".lan",
        ".intranet",
    ];
    let name = host.strip_suffix('.').unwrap_or(host);
    let dotted = name.contains('.') && !name.starts_with('.') && !name.ends_with('.');
    dotted && !PRIVATE.iter().any(|end| name.ends_with(end))
}

/// Whether a request of this scheme may be sent to the address.
pub fn may_reach(ip: IpAddr, scheme: &str, reach: Reach) -> bool {
    let here = ip.is_loopback() && reach == Reach::ThisMachine;
    here || (is_public(ip) && scheme == "https")
}

/// Whether the address is one of the public internet, by the registries of special addresses.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    const SPECIAL: [([u8; 4], u32); 15] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
    ];
    let bits = u32::from(ip);
    let within =
        |(net, length): &([u8; 4], u32)| (bits ^ u32::from_be_bytes(*net)) >> (32 - length) == 0;
    !SPECIAL.iter().any(within)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    const SPECIAL: [(u128, u32); 4] = [
        (0x2001 << 112, 23),
        (0x2001_0db8 << 96, 32),
        (0x2002 << 112, 16),
        (0x3fff << 112, 20),
    ];
    let bits = u128::from(ip);
    let within = |(net, length): &(u128, u32)| (bits ^ net) >> (128 - length) == 0;
    within(&(0x2000 << 112, 3)) && !SPECIAL.iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<Refused> {
        checked(text, Reach::Public).err()
    }

    #[test]
    fn an_address_says_why_it_is_refused() {
        assert_eq!(refused("https://shop.example/hooks?a=b"), None);
        assert_eq!(refused("HTTPS://shop.example./"), None);
        assert_eq!(refused("https://1.1.1.1:8443/"), None);
        assert_eq!(refused("http://shop.example/"), Some(Refused::Scheme));
        assert_eq!(refused("ftp://shop.example/"), Some(Refused::Scheme));
        assert_eq!(refused("https:/\\shop.example/"), Some(Refused::Scheme));
        assert_eq!(refused("https:///shop.example/"), Some(Refused::Malformed));
        assert_eq!(refused("https://shop.example:0/"), Some(Refused::Malformed));
        assert_eq!(refused("https://a@b.example/"), Some(Refused::Credentials));
        assert_eq!(refused("https://@b.example/"), Some(Refused::Credentials));
        assert_eq!(refused("https://b.example/#"), Some(Refused::Fragment));
        for private in [
            "intranet",
            "a.internal",
            "localhost",
            "10.0.0.1",
            "[::1]",
            "0x7f.1",
        ] {
            let text = format!("https://{private}/");
            assert_eq!(refused(&text), Some(Refused::NotPublic), "{text}");
        }
    }

    #[test]
    fn this_machine_is_reached_only_where_that_is_set() {
        for text in [
            "http://127.0.0.1:9/",
            "http://localhost/",
            "http://[::1]:9/",
        ] {
            assert!(checked(text, Reach::ThisMachine).is_ok(), "{text}");
            assert!(checked(text, Reach::Public).is_err(), "{text}");
        }
        for text in [
            "http://10.0.0.1/",
            "https://10.0.0.1/",
            "http://shop.example/",
        ] {
            assert!(checked(text, Reach::ThisMachine).is_err(), "{text}");
        }
        let here = IpAddr::from([127, 0, 0, 1]);
        assert!(may_reach(here, "http", Reach::ThisMachine));
        assert!(!may_reach(here, "https", Reach::Public));
        assert!(!may_reach(
            IpAddr::from([1, 1, 1, 1]),
            "http",
            Reach::ThisMachine
        ));
    }
}
