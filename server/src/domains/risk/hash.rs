//! What is kept of a mail's domain and of a network: keyed hashes that nobody can guess back from a
//! copy of the database. A mail's own hash is the one that coupons' limits go by.

use crate::custody::Custody;
use mintreu::id::TenantId;
use std::net::IpAddr;

/// A keyed hash of the domain of a mail address, or of a domain alone.
pub fn domain_hash(keys: &Custody, tenant: TenantId, email: &str) -> Option<[u8; 32]> {
    let domain = email.rsplit('@').next()?.trim().to_lowercase();
    (!domain.is_empty()).then(|| mac(keys, "risk.domain", tenant, domain.as_bytes()))
}

/// A keyed hash of the network that an address is of: of IPv4 the address itself, which one
/// household shares, and of IPv6 the first half, which one household has.
pub fn network_hash(keys: &Custody, tenant: TenantId, address: &str) -> Option<[u8; 32]> {
    let network = network_of(address)?;
    Some(mac(keys, "risk.network", tenant, network.as_slice()))
}

fn mac(keys: &Custody, purpose: &str, tenant: TenantId, data: &[u8]) -> [u8; 32] {
    keys.mac(purpose, &[tenant.as_bytes().as_slice(), data].concat())
}

fn network_of(address: &str) -> Option<Vec<u8>> {
    let address = address.trim();
    let address = address.strip_suffix("/64").unwrap_or(address);
    Some(match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets()[..8].to_vec(),
    })
}

/// What the owner recognises a network by: half of it.
pub(super) fn masked_network(address: &str) -> Option<String> {
    let bytes = network_of(address)?;
    Some(match bytes[..] {
        [a, b, _, _] => format!("{a}.{b}.…"),
        [a, b, c, d, ..] => format!(
            "{:x}:{:x}:…",
            u16::from_be_bytes([a, b]),
            u16::from_be_bytes([c, d])
        ),
        _ => return None,
    })
}

/// What the owner recognises a mail address by: its first letter and its domain.
pub(super) fn masked_mail(email: &str) -> String {
    let (local, domain) = email.split_once('@').unwrap_or(("", email));
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_household_is_one_network_and_one_domain_one() {
        let (keys, tenant) = (Custody::new([3; 32]), TenantId::from_bytes([0; 16]));
        let network = |address| network_hash(&keys, tenant, address);
        assert_eq!(
            network("2001:db8:1:2::7"),
            network("2001:db8:1:2:ffff::1/64")
        );
        assert_ne!(network("2001:db8:1:2::7"), network("2001:db8:1:3::7"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.2"), network("192.0.2.1"));
        assert_eq!(network("nowhere"), None);
        let domain = |email| domain_hash(&keys, tenant, email);
        assert_eq!(domain("Ada@Example.org"), domain("example.org"));
        assert_ne!(domain("ada@example.org"), domain("ada@example.com"));
        let other = TenantId::from_bytes([1; 16]);
        assert_ne!(
            network_hash(&keys, other, "192.0.2.1"),
            network("192.0.2.1")
        );
    }

    #[test]
    fn labels_hold_no_whole_address() {
        assert_eq!(masked_mail("ada@example.org"), "a…@example.org");
        assert_eq!(masked_network("192.0.2.77").as_deref(), Some("192.0.…"));
        assert_eq!(
            masked_network("2001:db8:1:2::7").as_deref(),
            Some("2001:db8:…")
        );
    }
}
