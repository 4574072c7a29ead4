//! Parts of the usage page: a quota, a meter by dimension, the projection, closed periods.

use super::{days_chart, rated_words};
use crate::domains::billing::{LicenseUsage, MeterUsage, PastPeriod, QuotaLeft};
use crate::domains::metering::CellUnits;
use crate::web::listing::encoded;
use crate::web::page::Page;
use crate::web::parts::{Bar, Chart};
use crate::web::product::{quota_text, tariff_text};
use mintreu::Timestamp;
use mintreu::id::LicenseId;
use mintreu::meter::CellKey;
use mintreu::price::Tariff;
use std::collections::{BTreeMap, BTreeSet};

/// Most values of a dimension in a table; the largest come first.
const MAX_VALUES: usize = 100;
/// The choice that stands for a cell's subject. No dimension is named so.
const SUBJECT: &str = "";

/// What a quota leaves.
pub struct QuotaView {
    /// `500 calls a month`.
    pub limit: String,
    /// Filled by what was used; none where each device has a quota of its own.
    pub bar: Option<Bar>,
    /// How many are left, or that each device knows.
    pub left: String,
    /// When units come back.
    pub resets: String,
}

impl QuotaView {
    pub fn of(page: &Page, meter: &MeterUsage, quota: QuotaLeft) -> Self {
        let number = |units| page.format.number(units);
        let limit = i64::try_from(quota.limit).unwrap_or(i64::MAX);
        let bar = quota.together.then(|| {
            let values = [
                ("used", number(quota.used).into()),
                ("limit", number(quota.limit).into()),
            ];
            let text = page.words.say_with("usage-quota-used", values);
            Bar::new(page.say("usage-quota"), text, quota.used, quota.limit)
        });
        Self {
            limit: quota_text(page, limit, &meter.unit, quota.window),
            left: match quota.together {
                true => page.say_one("usage-quota-left", "left", number(quota.left())),
                false => page.say("usage-quota-each"),
            },
            resets: match quota.resets_at {
                Some(at) => page.say_one("usage-quota-resets", "when", page.format.instant(at)),
                None => page.say("usage-quota-never"),
            },
            bar,
        }
    }
}

/// A choice among dimensions.
pub struct Chip {
    pub name: String,
    pub address: String,
    pub chosen: bool,
}

/// A meter's use, told apart by one dimension.
pub struct DimensionView {
    pub choices: Vec<Chip>,
    pub caption: String,
    pub column: String,
    /// A value, its units of the running period (empty when that isn't known), and in all.
    pub rows: Vec<[String; 3]>,
    /// Whether the running period's units are known by value.
    pub of_period: bool,
    /// How many values aren't shown.
    pub more: String,
}

impl DimensionView {
    /// `None` where there is nothing to tell apart.
    pub fn of(
        page: &Page,
        usage: &LicenseUsage,
        meter: &MeterUsage,
        asked: Option<&str>,
    ) -> Option<Self> {
        let of_meter = |cell: &&CellUnits| cell.key.meter() == meter.name;
        let cells: Vec<_> = usage.cells.iter().filter(of_meter).collect();
        let names: BTreeSet<&str> = cells.iter().flat_map(|cell| names(&cell.key)).collect();
        let by = asked.filter(|name| names.contains(name));
        let by = by.or_else(|| names.last().copied())?;
        let label = |name: &str| match name {
            SUBJECT => page.say("usage-subject"),
            name => name.to_owned(),
        };
        let license = usage.plan.license;
        let chip = |name: &&str| Chip {
            name: label(name),
            address: format!("/usage?license={license}&by={}", encoded(name)),
            chosen: *name == by,
        };
        let sums = sums(&cells, by);
        let in_period: i64 = sums.iter().map(|(_, period, _)| *period).sum();
        let of_period = u64::try_from(in_period) == Ok(meter.period_units);
        let signed = |units| page.format.signed(units);
        let row = |(value, period, all): &(&str, i64, i64)| {
            let value = match *value {
                "" => page.say("usage-no-value"),
                value => value.to_owned(),
            };
            [value, signed(*period), signed(*all)]
        };
        let hidden = i64::try_from(sums.len().saturating_sub(MAX_VALUES)).unwrap_or(0);
        let values = [
            ("meter", meter.name.as_str().into()),
            ("by", label(by).into()),
        ];
        Some(Self {
            choices: names.iter().map(chip).collect(),
            caption: page.words.say_with("usage-by", values),
            column: label(by),
            rows: sums.iter().take(MAX_VALUES).map(row).collect(),
            of_period,
            more: match hidden {
                0 => String::new(),
                hidden => page.say_one("usage-by-more", "count", hidden),
            },
        })
    }
}

/// What a cell can be told apart by.
fn names(key: &CellKey) -> Vec<&str> {
    let dimensions = key.dimensions().iter().map(|(name, _)| name.as_str());
    let subject = (!key.subject_id().is_empty()).then_some(SUBJECT);
    dimensions.chain(subject).collect()
}

fn value<'k>(key: &'k CellKey, by: &str) -> &'k str {
    if by == SUBJECT {
        return key.subject_id();
    }
    let mut dimensions = key.dimensions().iter();
    let found = dimensions.find(|(name, _)| name == by);
    found.map_or("", |(_, value)| value)
}

/// Units by value, of the running period and in all; the largest first.
fn sums<'c>(cells: &[&'c CellUnits], by: &str) -> Vec<(&'c str, i64, i64)> {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for cell in cells {
        let (period, all) = sums.entry(value(&cell.key, by)).or_default();
        let running = cell.units.saturating_sub(cell.settled_units);
        *period = period.saturating_add(running);
        *all = all.saturating_add(cell.units);
    }
    let sums = sums.into_iter();
    let mut sums: Vec<_> = sums
        .map(|(value, (period, all))| (value, period, all))
        .collect();
    sums.sort_by_key(|(value, period, all)| {
        (std::cmp::Reverse(*period), std::cmp::Reverse(*all), *value)
    });
    sums
}

/// How the projected bill comes about.
pub struct Projection {
    pub text: String,
    /// Each line's words and amount.
    pub lines: Vec<(String, String)>,
}

impl Projection {
    pub fn of(page: &Page, usage: &LicenseUsage, now: Timestamp) -> Self {
        let (from, until) = usage.plan.bounds;
        const DAY_MS: i64 = 86_400_000;
        let days = |span: i64| (span.max(1) + DAY_MS - 1) / DAY_MS;
        let values = [
            ("days", days(now.since_ms(from)).into()),
            ("of", days(until.since_ms(from)).into()),
        ];
        let line = |(meter, line): &(Option<String>, mintreu::price::Line)| {
            let words = match meter {
                Some(meter) => format!("{meter}: {}", line.explain()),
                None => page.say("line-commitment"),
            };
            (words, page.format.money(line.amount))
        };
        Self {
            text: page.words.say_with("usage-projection-text", values),
            lines: usage.projected_lines.iter().map(line).collect(),
        }
    }
}

/// A period in the list.
pub struct PeriodRow {
    pub address: String,
    pub name: String,
    pub cost: String,
}

fn bounds_text(page: &Page, (from, until): (Timestamp, Timestamp)) -> String {
    let values = [
        ("from", page.format.date(from).into()),
        ("until", page.format.date(until).into()),
    ];
    page.words.say_with("usage-period", values)
}

/// The closed periods of a plan.
pub fn periods(page: &Page, usage: &LicenseUsage) -> Vec<PeriodRow> {
    let license = usage.plan.license;
    let periods = usage.periods.iter();
    periods
        .map(|one| PeriodRow {
            address: format!("/usage?license={license}&period={}", one.period),
            name: bounds_text(page, one.bounds),
            cost: page.format.money(one.cost),
        })
        .collect()
}

/// A meter of a closed period.
pub struct PastMeterView {
    pub name: String,
    pub price: String,
    pub chart: Chart,
    pub facts: Vec<(String, String)>,
}

/// A closed period.
pub struct PastView {
    pub back: String,
    pub period: String,
    pub cost: String,
    pub meters: Vec<PastMeterView>,
    pub lines: Vec<(String, String)>,
}

impl PastView {
    pub fn of(page: &Page, license: LicenseId, past: &PastPeriod) -> Self {
        let money = |amount| page.format.money(amount);
        let meters = past.meters.iter().map(|one| {
            let tariff: &Tariff = &one.meter.tariff;
            PastMeterView {
                name: one.meter.name.clone(),
                price: tariff_text(page, tariff, &one.meter.unit),
                chart: days_chart(page, &one.meter.name, &one.series, None),
                facts: vec![
                    (page.say("chart-units"), page.format.signed(one.units)),
                    (page.say("usage-past-cost"), money(one.cost)),
                ],
            }
        });
        let lines = past.lines.iter();
        Self {
            back: format!("/usage?license={license}"),
            period: bounds_text(page, past.period.bounds),
            cost: money(past.period.cost),
            meters: meters.collect(),
            lines: lines
                .map(|line| (rated_words(page, line), money(line.amount)))
                .collect(),
        }
    }
}
