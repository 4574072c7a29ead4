//! How a quota is written on the command line.
//!
//! `METER=LIMIT/WINDOW` and terms behind it, each after a comma:
//!
//! | window | is |
//! |---|---|
//! | `lifetime`, `hour`, `day`, `week`, `month`, `year` | the calendar's, in UTC or `zone=…` |
//! | `months`, `3months`, `2weeks`, `30days` | a billing period, with `from=…` behind |
//! | `60m`, `24h` | rolling: the limit comes back evenly in that time |

use mintreu::Timestamp;
use mintreu::license::{Credit, Name, QuotaClaim};
use mintreu::meter::{Period, PeriodUnit, Rollover, Window, Zone};

use super::terms::{Instant, Seconds, sentence};

/// `renders=500/month,zone=Europe/Berlin,overage=50`; `unlimited` counts only.
pub fn quota(text: &str) -> Result<(Name, QuotaClaim), String> {
    let unfit = || format!("{text:?} is no quota: write renders=500/month");
    let (name, terms) = text.split_once('=').ok_or_else(unfit)?;
    let mut terms = terms.split(',');
    let (limit, window) = terms
        .next()
        .and_then(|first| first.split_once('/'))
        .ok_or_else(unfit)?;
    let mut quota = QuotaClaim::new(0, read_window(window)?);
    quota.limit = match limit {
        "unlimited" => None,
        number => Some(number.parse().map_err(|_| unfit())?),
    };
    let mut anchored = !matches!(quota.window, Window::Period(_));
    for word in terms {
        anchored |= word.starts_with("from=");
        read_term(&mut quota, word)?;
    }
    if !anchored {
        return Err(format!(
            "{window:?} is counted from a day: add from=2026-01-31"
        ));
    }
    Ok((name.parse().map_err(sentence)?, quota))
}

fn read_window(text: &str) -> Result<Window, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let unit = match unit {
        "days" => PeriodUnit::Day,
        "weeks" => PeriodUnit::Week,
        "months" => PeriodUnit::Month,
        _ if count.is_empty() => return Window::parse(text).map_err(sentence),
        _ => {
            let secs = text.parse::<Seconds>()?.0;
            return Ok(Window::Rolling { secs });
        }
    };
    let count = match count {
        "" => 1,
        count => count
            .parse()
            .map_err(|_| format!("{text:?} is too long a period"))?,
    };
    Ok(Window::Period(Period {
        unit,
        count,
        anchor: Timestamp::default(),
    }))
}

fn read_term(quota: &mut QuotaClaim, word: &str) -> Result<(), String> {
    let unfit = || {
        format!(
            "{word:?} is no term of a quota: use per-device, overage, overage=N, zone=NAME, \
             from=DATE, rollover=LEAST..MOST, alert=PERCENT or credit=ID:UNITS"
        )
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| unfit());
    match word.split_once('=').unwrap_or((word, "")) {
        ("per-device", "") => quota.per_device = true,
        ("overage", "") => quota.overage = true,
        ("overage", cap) => {
            quota.overage = true;
            quota.overage_cap = Some(number(cap)?);
        }
        ("zone", name) => {
            Zone::named(name).map_err(sentence)?;
            quota.zone = Some(name.to_owned());
        }
        ("from", day) => match &mut quota.window {
            Window::Period(period) => period.anchor = day.parse::<Instant>()?.0,
            _ => return Err("only days, weeks and months are counted from a day".into()),
        },
        ("rollover", bounds) => {
            let (least, most) = bounds.split_once("..").ok_or_else(unfit)?;
            quota.rollover = Some(Rollover {
                least: if least.is_empty() { 0 } else { number(least)? },
                most: number(most)?,
            });
        }
        ("alert", percent) => {
            quota.alerts.push(percent.parse().map_err(|_| unfit())?);
            quota.alerts.sort_unstable();
        }
        ("credit", terms) => quota.credits.push(credit(terms).ok_or_else(unfit)?),
        _ => return Err(unfit()),
    }
    Ok(())
}

/// `ID:UNITS`, with `:PRIORITY` and `:EXPIRES` behind. It is created when the license is issued.
fn credit(text: &str) -> Option<Credit> {
    let mut parts = text.splitn(4, ':');
    let credit = Credit {
        id: parts.next()?.parse().ok()?,
        units: parts.next()?.parse().ok()?,
        priority: parts.next().map_or(Ok(0), str::parse).ok()?,
        created: Timestamp::default(),
        expires: match parts.next() {
            Some(day) => Some(day.parse::<Instant>().ok()?.0),
            None => None,
        },
    };
    Some(credit)
}

/// The window in one word, as it is read.
pub fn window_text(quota: &QuotaClaim) -> String {
    match quota.window {
        Window::Period(period) => {
            let unit = match period.unit {
                PeriodUnit::Day => "days",
                PeriodUnit::Week => "weeks",
                PeriodUnit::Month => "months",
            };
            format!("{}{unit}", period.count)
        }
        Window::Rolling { secs } => format!("{secs}s"),
        named => named.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_with_their_terms() {
        let read = |text| quota(text).map(|(_, quota)| quota);
        let renders = read("renders=500/month,overage").expect("a quota");
        let expected = QuotaClaim {
            overage: true,
            ..QuotaClaim::new(500, Window::Month)
        };
        assert_eq!(renders, expected);
        assert_eq!(read("calls=unlimited/day").expect("a quota").limit, None);
        let rich = "r=9/2weeks,from=2026-01-31,zone=Europe/Berlin,rollover=..5,alert=100,alert=80";
        let rich = read(rich).expect("a quota");
        let rollover = Rollover { least: 0, most: 5 };
        assert_eq!(
            (rich.alerts, rich.rollover),
            (vec![80, 100], Some(rollover))
        );
        let period = Period {
            unit: PeriodUnit::Week,
            count: 2,
            anchor: Timestamp::from_secs(1_769_817_600),
        };
        assert_eq!(rich.window, Window::Period(period));
        let rolling = read("r=100/60m").expect("a quota");
        assert_eq!(rolling.window, Window::Rolling { secs: 3600 });
        assert_eq!(window_text(&rolling), "3600s");
        let paid = read("r=0/month,credit=1:500:2:2027-01-01,overage=7").expect("a quota");
        let credit = &paid.credits[0];
        assert_eq!((credit.id, credit.units, credit.priority), (1, 500, 2));
        assert_eq!(paid.overage_cap, Some(7));
        for bad in [
            "renders",
            "renders=500",
            "renders=x/month",
            "r=5/fortnight",
            "r=5/day,free",
            "r=5/months",
            "r=5/day,from=2026-01-31",
            "r=5/day,zone=Europe/Atlantis",
            "r=5/day,rollover=5",
            "r=5/day,credit=1",
        ] {
            assert!(quota(bad).is_err(), "{bad}");
        }
    }
}
