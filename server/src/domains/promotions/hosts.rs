//! The pages that may show a seller's buy button in a frame.

use super::model::PromotionError;
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, TenantId};

/// Most hosts of one seller.
const MAX_HOSTS: usize = 50;

/// A host as a seller lists it: `shop.example`, `*.shop.example`, `shop.example:8443`, and
/// `localhost:3000` for trying it out, which alone needs no TLS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EmbedHost(String);

impl EmbedHost {
    /// Reads a host; letters become small.
    pub fn parse(text: &str) -> Result<Self, PromotionError> {
        let text = text.trim().to_lowercase();
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text.as_str(), None),
        };
        let port_sound = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let bare = name.strip_prefix("*.").unwrap_or(name);
        let label = |label: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(plain)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A wildcard of a whole top-level domain would be everybody's.
        let named = bare.contains('.') && bare.split('.').all(label);
        let local = is_local(name);
        if text.len() <= 253 && port_sound && (named || local) {
            return Ok(Self(text));
        }
        let rule = format!("{text:?} is no host such as shop.example or *.shop.example");
        Err(PromotionError::Rule("hosts", rule))
    }

    /// As listed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a content security policy names it.
    pub fn source(&self) -> String {
        let name = self.0.split(':').next().unwrap_or_default();
        let scheme = if is_local(name) { "http" } else { "https" };
        format!("{scheme}://{}", self.0)
    }

    /// Whether `origin` (`https://shop.example`) is this host.
    pub fn allows(&self, origin: &str) -> bool {
        let own = self.source();
        match own.split_once("://*.") {
            None => origin == own,
            Some((scheme, rest)) => {
                let host = origin.strip_prefix(scheme);
                let host = host.and_then(|rest| rest.strip_prefix("://"));
                let sub = host.and_then(|host| host.strip_suffix(rest));
                let sub = sub.and_then(|sub| sub.strip_suffix('.'));
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
                sub.is_some_and(|sub| !sub.is_empty() && sub.bytes().all(plain))
            }
        }
    }
}

fn is_local(name: &str) -> bool {
    name == "localhost" || name == "127.0.0.1"
}

/// Replaces the list of the caller's hosts.
#[derive(Debug, Clone)]
pub struct SetHosts {
    /// As written; at most fifty.
    pub hosts: Vec<String>,
}

impl Command for SetHosts {
    const NAME: &'static str = "promotions.set_hosts";
    const CAPABILITY: Capability = Capability::Sell;
}

/// See [`SetHosts`].
pub fn set_hosts(cx: &mut Cx<'_>, cmd: &SetHosts) -> Result<Vec<EmbedHost>, PromotionError> {
    let seller = seller(cx.caller.account)?;
    let read = cmd.hosts.iter().map(|host| EmbedHost::parse(host));
    let mut hosts = read.collect::<Result<Vec<_>, _>>()?;
    hosts.sort();
    hosts.dedup();
    if hosts.len() > MAX_HOSTS {
        let rule = format!("at most {MAX_HOSTS} hosts");
        return Err(PromotionError::Rule("hosts", rule));
    }
    sql::put_hosts(cx.tx, cx.caller.tenant, (seller, &hosts), cx.now)?;
    Ok(hosts)
}

fn seller(account: Option<AccountId>) -> Result<AccountId, Denied> {
    account.ok_or(Denied {
        capability: Capability::Sell,
        signed_in: false,
    })
}

/// Asks for the caller's own hosts.
#[derive(Debug, Clone, Copy)]
pub struct OwnHosts;

/// The caller's own hosts, by name.
pub fn own_hosts(cx: &mut ReadCx<'_>, _: &OwnHosts) -> Result<Vec<EmbedHost>, PromotionError> {
    let seller = seller(cx.caller.account)?;
    Ok(hosts_of(cx.tx, cx.caller.tenant, seller)?)
}

/// The hosts that may show a seller's buy button.
pub fn hosts_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<EmbedHost>, StoreError> {
    let texts = sql::hosts(tx, tenant, seller)?.into_iter();
    Ok(texts.map(EmbedHost).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exact_or_all_below_with_their_port() {
        let cases = [
            ("shop.example", "https://shop.example", true),
            ("shop.example", "http://shop.example", false),
            ("shop.example", "https://shop.example:8443", false),
            ("shop.example", "https://a.shop.example", false),
            ("shop.example", "https://evilshop.example", false),
            ("Shop.Example:8443", "https://shop.example:8443", true),
            ("*.shop.example", "https://a.shop.example", true),
            ("*.shop.example", "https://a.b.shop.example", true),
            ("*.shop.example", "https://shop.example", false),
            ("*.shop.example", "https://evilshop.example", false),
            (
                "*.shop.example",
                "https://evil.example/.shop.example",
                false,
            ),
            ("*.shop.example", "http://a.shop.example", false),
            ("*.shop.example:99", "https://a.shop.example:99", true),
            ("*.shop.example:99", "https://a.shop.example", false),
            ("localhost:3000", "http://localhost:3000", true),
            ("localhost:3000", "https://localhost:3000", false),
        ];
        for (host, origin, allowed) in cases {
            let host = EmbedHost::parse(host).expect("a host");
            assert_eq!(host.allows(origin), allowed, "{host:?} {origin}");
        }
        for bad in [
            "",
            "*",
            "*.example",
            "example",
            "https://a.b",
            "a.b/c",
            "a.b:0",
            "a.b:x",
            "a b.c",
            "a.b;script-src",
            "a.*.b",
            "-a.b",
            "a..b",
            "'self'",
        ] {
            assert!(EmbedHost::parse(bad).is_err(), "{bad}");
        }
    }
}
