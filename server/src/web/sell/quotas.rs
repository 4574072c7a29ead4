//! How a seller writes quotas: one a line, terms behind commas.
//!
//! `api.calls = 1000 / month, shared, zone=Europe/Berlin, overage=50, rollover=0..100, alert=80`

use super::form::Mistake;
use crate::domains::catalog::model::{LicenseTerms, Quota, QuotaRollover, Window};

/// The quotas of a product as its seller writes them.
pub fn quota_lines(terms: &LicenseTerms) -> String {
    terms
        .quotas
        .iter()
        .map(quota_line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn quota_line(quota: &Quota) -> String {
    let (meter, limit, window) = (&quota.meter, quota.limit, quota.window.name());
    let mut line = format!("{meter} = {limit} / {window}");
    let mut term = |text: String| {
        line.push_str(", ");
        line.push_str(&text);
    };
    if quota.shared {
        term("shared".to_owned());
    }
    if let Some(zone) = &quota.zone {
        term(format!("zone={zone}"));
    }
    match (quota.overage, quota.overage_cap) {
        (true, Some(cap)) => term(format!("overage={cap}")),
        (true, None) => term("overage".to_owned()),
        (false, _) => {}
    }
    if let Some(rule) = quota.rollover {
        term(format!("rollover={}..{}", rule.least, rule.most));
    }
    for alert in &quota.alerts {
        term(format!("alert={alert}"));
    }
    line
}

/// Reads quotas; what can't be read is named in `wrong`.
pub fn read_quotas(text: &str, wrong: &mut Vec<Mistake>) -> Vec<Quota> {
    let mut quotas = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match read_line(line) {
            Some(quota) => quotas.push(quota),
            None => wrong.push(("quotas", "field-quota")),
        }
    }
    quotas
}

fn read_line(line: &str) -> Option<Quota> {
    let (meter, rest) = line.split_once('=')?;
    let mut terms = rest.split(',').map(str::trim);
    let first = terms.next()?;
    let (limit, window) = first.split_once('/').unwrap_or((first, "lifetime"));
    let window = Window::parse(window.trim())?;
    let mut quota = Quota::new(meter.trim(), limit.trim().parse().ok()?, window);
    for term in terms {
        read_term(&mut quota, term)?;
    }
    quota.alerts.sort_unstable();
    Some(quota)
}

fn read_term(quota: &mut Quota, term: &str) -> Option<()> {
    match term.split_once('=').unwrap_or((term, "")) {
        ("shared", "") => quota.shared = true,
        ("overage", "") => quota.overage = true,
        ("overage", cap) => {
            quota.overage = true;
            quota.overage_cap = Some(cap.parse().ok()?);
        }
        ("zone", zone) => quota.zone = Some(zone.to_owned()),
        ("rollover", bounds) => {
            let (least, most) = bounds.split_once("..")?;
            quota.rollover = Some(QuotaRollover {
                least: if least.is_empty() {
                    0
                } else {
                    least.parse().ok()?
                },
                most: most.parse().ok()?,
            });
        }
        ("alert", percent) => quota.alerts.push(percent.parse().ok()?),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_survive_their_lines() {
        let text = "api.calls = 1000 / month\nrenders = 5 / lifetime\n\
            tokens = 100 / billing_month, shared, zone=Asia/Tokyo, overage=50, rollover=10..100, \
            alert=80, alert=100\nimages = 7 / year, overage";
        let mut wrong = Vec::new();
        let terms = LicenseTerms {
            quotas: read_quotas(text, &mut wrong),
            ..LicenseTerms::default()
        };
        assert_eq!((quota_lines(&terms).as_str(), &*wrong), (text, &[][..]));
        let short = read_quotas("a = 5\nb=6/day,rollover=..9,alert=100,alert=80", &mut wrong);
        assert_eq!(short[0].window, Window::Lifetime);
        assert_eq!(short[1].alerts, [80, 100]);
        assert_eq!(
            short[1].rollover.map(|rule| (rule.least, rule.most)),
            Some((0, 9))
        );
        assert!(wrong.is_empty());
    }

    #[test]
    fn a_line_that_says_something_unknown_is_named() {
        for line in [
            "api.calls 1000",
            "a = b / day",
            "a = 1 / fortnight",
            "a = 1 / day, sharde",
            "a = 1 / day, overage=some",
            "a = 1 / day, rollover=9",
            "a = 1 / day, alert=300",
        ] {
            let mut wrong = Vec::new();
            assert!(read_quotas(line, &mut wrong).is_empty(), "{line}");
            assert_eq!(wrong, [("quotas", "field-quota")], "{line}");
        }
    }
}
