//! Groups of countries that a price can be for, by ISO 3166-1 alpha-2.

/// Every group by its name: capitals, with `-` between words.
pub const GROUPS: &[(&str, &[&str])] = &[
    (
        "AFRICA",
        &[
            "AO", "BF", "BI", "BJ", "BW", "CD", "CF", "CG", "CI", "CM", "CV", "DJ", "DZ", "EG",
            "ER", "ET", "GA", "GH", "GM", "GN", "GQ", "GW", "KE", "KM", "LR", "LS", "LY", "MA",
            "MG", "ML", "MR", "MU", "MW", "MZ", "NA", "NE", "NG", "RW", "SC", "SD", "SL", "SN",
            "SO", "SS", "ST", "SZ", "TD", "TG", "TN", "TZ", "UG", "ZA", "ZM", "ZW",
        ],
    ),
    (
        "EEA",
        &[
            "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
            "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE",
            "SI", "SK",
        ],
    ),
    (
        "EU",
        &[
            "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
            "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
        ],
    ),
    (
        "LATIN-AMERICA",
        &[
            "AR", "BO", "BR", "CL", "CO", "CR", "CU", "DO", "EC", "GT", "HN", "MX", "NI", "PA",
            "PE", "PY", "SV", "UY", "VE",
        ],
    ),
    (
        "SOUTH-ASIA",
        &["AF", "BD", "BT", "IN", "LK", "MV", "NP", "PK"],
    ),
    (
        "SOUTHEAST-ASIA",
        &[
            "BN", "ID", "KH", "LA", "MM", "MY", "PH", "SG", "TH", "TL", "VN",
        ],
    ),
];

/// The countries of a group; none for a name that is no group's.
pub fn members(name: &str) -> &'static [&'static str] {
    let found = GROUPS.iter().find(|(known, _)| *known == name);
    found.map_or(&[], |(_, members)| members)
}

/// The countries that a list of countries and groups names, in order, once each.
pub fn expanded(named: &[String]) -> Vec<String> {
    let mut countries = Vec::new();
    for name in named {
        match members(name) {
            [] => countries.push(name.clone()),
            members => countries.extend(members.iter().map(|one| (*one).to_owned())),
        }
    }
    countries.sort();
    countries.dedup();
    countries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_countries_in_order_and_once() {
        for (name, members) in GROUPS {
            let mut sorted = members.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted, *members, "{name}");
            let is_country =
                |code: &&str| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!(members.iter().all(is_country), "{name}");
        }
        assert_eq!(
            (
                members("EU").len(),
                members("EEA").len(),
                members("AFRICA").len()
            ),
            (27, 30, 54)
        );
        assert!(
            members("EU")
                .iter()
                .all(|code| members("EEA").contains(code))
        );
        assert!(members("DE").is_empty());
        let named = ["NO".to_owned(), "SOUTH-ASIA".to_owned(), "IN".to_owned()];
        assert_eq!(expanded(&named).len(), 9);
    }
}
