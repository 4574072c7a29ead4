//! What a license says of one meter: its quota, and how that is written.

use super::codec::{count, entries, instant, malformed, unsupported};
use crate::document::cbor::Value;
use crate::error::Result;
use crate::meter::{
    MAX_LIMIT, MAX_PERIOD, Period, PeriodUnit, Quota, Rollover, Window, is_zone_name,
};
use crate::time::Timestamp;

/// The most alerts one quota may have.
pub const MAX_ALERTS: usize = 8;
/// The most prepaid credits one quota may have.
pub const MAX_CREDITS: usize = 32;

/// Bits of a quota's third element.
pub(super) const PER_DEVICE: i64 = 1;
pub(super) const OVERAGE: i64 = 2;

/// Keys of a quota's fifth element.
const ZONE: i64 = 1;
const ANCHOR: i64 = 2;
const LENGTH: i64 = 3;
const ROLLOVER: i64 = 4;
const ALERTS: i64 = 5;
const CREDITS: i64 = 6;

/// How much of a meter may be used in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaClaim {
    /// Units a window; counted without a bound when absent.
    pub limit: Option<u64>,
    /// The stretch of time the limit is for.
    pub window: Window,
    /// Whether each device has the whole limit for itself, instead of sharing it.
    pub per_device: bool,
    /// Whether use beyond the limit is allowed and charged, instead of refused.
    pub overage: bool,
    /// The most units beyond the limit; without a bound when absent.
    pub overage_cap: Option<u64>,
    /// The IANA time zone whose calendar the window follows; UTC when absent.
    pub zone: Option<String>,
    /// What is carried over from window to window; nothing when absent.
    pub rollover: Option<Rollover>,
    /// Percentages of the limit from which the product is told, such as 80 and 100.
    pub alerts: Vec<u8>,
    /// Prepaid units, burned when a window's own are used up.
    pub credits: Vec<Credit>,
}

/// Units that were paid for ahead, used once: the one with the lowest priority first, then the one
/// that expires first, then the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Its number, which no other credit of the license's meter ever has.
    pub id: u32,
    /// How many units.
    pub units: u64,
    /// Lower ones are burned first.
    pub priority: u8,
    /// When it was granted.
    pub created: Timestamp,
    /// The first instant it can no longer be used; never when absent.
    pub expires: Option<Timestamp>,
}

impl QuotaClaim {
    /// `limit` units a window, shared by all devices, refused beyond.
    pub const fn new(limit: u64, window: Window) -> Self {
        Self {
            limit: Some(limit),
            window,
            per_device: false,
            overage: false,
            overage_cap: None,
            zone: None,
            rollover: None,
            alerts: Vec::new(),
            credits: Vec::new(),
        }
    }

    /// The rule by which one word decides; limits beyond what a word holds are cut.
    pub fn quota(&self) -> Result<Quota> {
        let Some(limit) = self.limit else {
            return Ok(Quota::unlimited(self.window));
        };
        let mut quota = Quota::new(limit.min(MAX_LIMIT), self.window)?;
        if self.overage {
            quota = quota.with_overage(self.overage_cap)?;
        }
        self.rollover
            .map_or(Ok(quota), |rollover| quota.with_rollover(rollover))
    }

    /// Refuses what no license may say.
    pub(super) fn check(&self) -> Result<()> {
        if self.overage_cap.is_some() && !self.overage {
            return Err(malformed("a quota without overage has no cap of it"));
        }
        if self.limit.is_none() && matches!(self.window, Window::Rolling { .. }) {
            return Err(malformed("a rolling quota has a limit"));
        }
        if matches!(self.window, Window::Period(period) if !(1..=MAX_PERIOD).contains(&period.count))
        {
            return Err(malformed("a billing period is too long or empty"));
        }
        if self.zone.as_deref().is_some_and(|zone| !is_zone_name(zone)) {
            return Err(malformed("that is no name of a time zone"));
        }
        let rising = self.alerts.is_sorted_by(|a, b| a < b) && !self.alerts.contains(&0);
        if !rising || self.alerts.len() > MAX_ALERTS {
            return Err(malformed("alerts are at most 8 percentages, rising"));
        }
        let mut ids: Vec<_> = self.credits.iter().map(|credit| credit.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let whole = ids.len() == self.credits.len() && ids.len() <= MAX_CREDITS;
        if !whole || self.credits.iter().any(|credit| credit.units > MAX_LIMIT) {
            return Err(malformed("credits are at most 32 of different numbers"));
        }
        self.quota()
            .map(drop)
            .map_err(|_| malformed("no quota is like that"))
    }

    pub(super) fn to_value(&self) -> Result<Value<'_>> {
        let bound = |bound: Option<u64>| bound.map_or(Ok(Value::Null), count);
        let more = self.more()?;
        let flags = i64::from(self.per_device) * PER_DEVICE + i64::from(self.overage) * OVERAGE;
        let mut items = vec![
            bound(self.limit)?,
            Value::Int(i64::from(self.window.code())),
        ];
        if flags != 0 || more.is_some() {
            items.push(Value::Int(flags));
        }
        if self.overage_cap.is_some() || more.is_some() {
            items.push(bound(self.overage_cap)?);
        }
        items.extend(more);
        Ok(Value::Array(items))
    }

    fn more(&self) -> Result<Option<Value<'_>>> {
        let (anchor, length) = match self.window {
            Window::Period(period) => (
                Some(Value::Int(period.anchor.secs())),
                Some(i64::from(period.count)).filter(|&count| count != 1),
            ),
            Window::Rolling { secs } => (None, Some(i64::from(secs))),
            _ => (None, None),
        };
        let rollover = |rule: Rollover| -> Result<_> {
            Ok(Value::Array(vec![count(rule.least)?, count(rule.most)?]))
        };
        let alerts = self
            .alerts
            .iter()
            .map(|&alert| Value::Int(i64::from(alert)));
        let credits = self.credits.iter().map(|credit| credit.to_value());
        let list = |items: Vec<Value<'static>>| (!items.is_empty()).then_some(Value::Array(items));
        let more = Value::labelled([
            (ZONE, self.zone.as_deref().map(Value::text)),
            (ANCHOR, anchor),
            (LENGTH, length.map(Value::Int)),
            (ROLLOVER, self.rollover.map(rollover).transpose()?),
            (ALERTS, list(alerts.collect())),
            (CREDITS, list(credits.collect::<Result<_>>()?)),
        ]);
        Ok(Some(more).filter(|more| *more != Value::Map(Vec::new())))
    }

    pub(super) fn from_value(value: &Value<'_>) -> Result<Self> {
        let (null, none) = (Value::Null, Value::Map(Vec::new()));
        let (limit, code, flags, cap, more) = match value.as_array()? {
            [limit, window] => (limit, window, 0, &null, &none),
            [limit, window, flags] => (limit, window, flags.as_int()?, &null, &none),
            [limit, window, flags, cap] => (limit, window, flags.as_int()?, cap, &none),
            [limit, window, flags, cap, more] => (limit, window, flags.as_int()?, cap, more),
            _ => return Err(unsupported()),
        };
        for (key, _) in entries(Some(more))? {
            // As everywhere: what may be ignored has a key that is not negative.
            if key.as_int()? < 0 {
                return Err(unsupported());
            }
        }
        let bound = |value: &Value<'_>| match value {
            Value::Null => Ok(None),
            bound => bound.as_count().map(Some),
        };
        if !(0..=PER_DEVICE | OVERAGE).contains(&flags) {
            return Err(unsupported());
        }
        let list = |key| more.at(key).map_or(Ok(&[][..]), Value::as_array);
        Ok(Self {
            limit: bound(limit)?,
            window: read_window(code.as_int()?, more)?,
            per_device: flags & PER_DEVICE != 0,
            overage: flags & OVERAGE != 0,
            overage_cap: bound(cap)?,
            zone: match more.at(ZONE) {
                Some(zone) => Some(zone.as_text()?.to_owned()),
                None => None,
            },
            rollover: more.at(ROLLOVER).map(read_rollover).transpose()?,
            alerts: list(ALERTS)?.iter().map(percent).collect::<Result<_>>()?,
            credits: list(CREDITS)?
                .iter()
                .map(Credit::from_value)
                .collect::<Result<_>>()?,
        })
    }
}

fn read_window(code: i64, more: &Value<'_>) -> Result<Window> {
    let index = usize::try_from(code).map_err(|_| unsupported())?;
    if let Some(named) = Window::NAMED.get(index) {
        return Ok(*named);
    }
    let length = more.at(LENGTH).map(Value::as_count).transpose()?;
    let unit = match code {
        6 => PeriodUnit::Day,
        7 => PeriodUnit::Week,
        8 => PeriodUnit::Month,
        9 => {
            let secs = u32::try_from(length.unwrap_or(0));
            let secs = secs.map_err(|_| malformed("a rolling window is too long"))?;
            return Ok(Window::Rolling { secs });
        }
        _ => return Err(unsupported()),
    };
    let anchor = more.at(ANCHOR);
    Ok(Window::Period(Period {
        unit,
        count: u16::try_from(length.unwrap_or(1))
            .map_err(|_| malformed("a billing period is too long"))?,
        anchor: instant(anchor.ok_or_else(|| malformed("a billing period has an anchor"))?)?,
    }))
}

fn read_rollover(value: &Value<'_>) -> Result<Rollover> {
    let [least, most] = value.as_array()? else {
        return Err(malformed("what is carried over has two bounds"));
    };
    Ok(Rollover {
        least: least.as_count()?,
        most: most.as_count()?,
    })
}

fn percent(value: &Value<'_>) -> Result<u8> {
    u8::try_from(value.as_int()?).map_err(|_| malformed("an alert is a percentage"))
}

impl Credit {
    fn to_value(self) -> Result<Value<'static>> {
        let expires = self.expires.map_or(Value::Null, |at| Value::Int(at.secs()));
        Ok(Value::Array(vec![
            Value::Int(i64::from(self.id)),
            count(self.units)?,
            Value::Int(i64::from(self.priority)),
            Value::Int(self.created.secs()),
            expires,
        ]))
    }

    fn from_value(value: &Value<'_>) -> Result<Self> {
        let [id, units, priority, created, expires] = value.as_array()? else {
            return Err(malformed("a credit has five parts"));
        };
        Ok(Self {
            id: u32::try_from(id.as_int()?).map_err(|_| malformed("a credit has a number"))?,
            units: units.as_count()?,
            priority: u8::try_from(priority.as_int()?)
                .map_err(|_| malformed("a priority is 0 to 255"))?,
            created: instant(created)?,
            expires: match expires {
                Value::Null => None,
                at => Some(instant(at)?),
            },
        })
    }
}
