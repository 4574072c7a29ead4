//! What a seller measures: which events, which number of each, added up how. Pure.

use super::MeterError;
use super::cell::{Reading, seen};
use super::decimal::Decimal;
use super::event::{Event, Leaf};
use mintreu::Timestamp;
use mintreu::id::{MeterId, ProductId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most meters of a seller.
pub const MAX_METERS: usize = 200;
/// Most properties that a meter groups by.
pub const MAX_GROUP_BY: usize = 8;
/// Longest value of such a property.
const MAX_GROUP_VALUE: usize = 200;
/// Most that one event changes a level: levels are multiplied by milliseconds.
const MAX_LEVEL: i64 = 1_000_000_000;
/// Most groups (subject and properties) of a meter.
pub const MAX_GROUPS: i64 = 200_000;

/// How events are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// How many.
    Count,
    /// The sum of their values.
    Sum,
    /// The least.
    Min,
    /// The largest.
    Max,
    /// The one that happened last.
    Latest,
    /// How many different ones.
    UniqueCount,
    /// The mean.
    Average,
    /// The value that so many ten-thousands are at most.
    Percentile(u32),
    /// Values are changes of a level; the level's mean over the time.
    WeightedSum,
}

impl Aggregation {
    const NAMES: [(&'static str, Self); 9] = [
        ("COUNT", Self::Count),
        ("SUM", Self::Sum),
        ("MIN", Self::Min),
        ("MAX", Self::Max),
        ("LATEST", Self::Latest),
        ("UNIQUE_COUNT", Self::UniqueCount),
        ("AVG", Self::Average),
        ("PERCENTILE", Self::Percentile(9_500)),
        ("WEIGHTED_SUM", Self::WeightedSum),
    ];

    /// Its name, in capitals.
    pub fn name(self) -> &'static str {
        let same = |other: &Self| std::mem::discriminant(other) == std::mem::discriminant(&self);
        let found = Self::NAMES.iter().find(|(_, other)| same(other));
        found.map_or("", |(name, _)| name)
    }

    /// Reads a name in any case; a percentile is the 95th until said otherwise.
    pub fn parse(name: &str) -> Option<Self> {
        let found = Self::NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, aggregation)| *aggregation)
    }
}

/// The way to a property: `$.usage.tokens`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    written: String,
    key: String,
}

impl Path {
    /// Reads names behind `$`, each after a point or in brackets and quotes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut names = Vec::new();
        while !rest.is_empty() {
            let (name, after) = match rest.strip_prefix('.') {
                Some(name) => name.split_at(name.find(['.', '[']).unwrap_or(name.len())),
                None => {
                    let inner = rest.strip_prefix('[')?;
                    let quote = inner.chars().next().filter(|c| ['\'', '"'].contains(c))?;
                    let inner = &inner[1..];
                    let (name, after) = inner.split_once(quote)?;
                    (name, after.strip_prefix(']')?)
                }
            };
            let fits = !name.is_empty() && !name.contains(Event::JOINT) && names.len() < 8;
            names.push(fits.then_some(name)?);
            rest = after;
        }
        (!names.is_empty() && text.len() <= 200).then(|| Self {
            written: text.to_owned(),
            key: names.join(Event::JOINT),
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.written
    }

    fn of<'e>(&self, event: &'e Event) -> Option<&'e Leaf> {
        event.leaves.get(&self.key)
    }
}

/// A meter as its seller describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its short name: unique for the seller.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which events.
    pub event_type: String,
    /// How they are added up.
    pub aggregation: Aggregation,
    /// Which of their properties has the value.
    pub value: Option<Path>,
    /// Names and properties to tell uses apart by.
    pub group_by: BTreeMap<String, Path>,
    /// The product whose license a subject is.
    pub product: Option<ProductId>,
}

/// A meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// Its id.
    pub id: MeterId,
    /// What it measures.
    pub draft: Draft,
    /// Events count that arrive from then on.
    pub created_at: Timestamp,
    /// When its name or description was changed last.
    pub updated_at: Timestamp,
}

/// A meter as JSON, in the manner of this API and of others.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DraftIn {
    /// `^[a-z0-9]+(_[a-z0-9]+)*$`, at most 64 characters.
    pub slug: String,
    /// At most 200 characters.
    pub name: Option<String>,
    /// At most 1000 characters.
    pub description: Option<String>,
    /// Which events it counts.
    pub event_type: String,
    /// COUNT, SUM, MIN, MAX, LATEST, UNIQUE_COUNT, AVG, PERCENTILE or WEIGHTED_SUM.
    pub aggregation: String,
    /// `$.tokens`: all need one but COUNT.
    pub value_property: Option<String>,
    /// `{"model": "$.model"}`, at most 8.
    pub group_by: Option<BTreeMap<String, String>>,
    /// For PERCENTILE: `"99.9"`; 95 without.
    pub percentile: Option<String>,
    /// `prd_…`: subjects are licenses of this product, and their use is billed by its meter of the
    /// same name. For COUNT and SUM.
    pub product_id: Option<String>,
}

fn is_slug(slug: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    (1..=64).contains(&slug.len()) && slug.split('_').all(part)
}

impl DraftIn {
    /// What it describes, or the field that is wrong.
    pub fn read(&self) -> Result<Draft, MeterError> {
        let wrong = |field, why: &str| MeterError::Malformed {
            field,
            why: why.to_owned(),
        };
        if !is_slug(&self.slug) {
            return Err(wrong(
                "slug",
                "A slug is a-z, 0-9 and single _ between them.",
            ));
        }
        if !(1..=128).contains(&self.event_type.len()) {
            return Err(wrong(
                "eventType",
                "An event's type has 1 to 128 characters.",
            ));
        }
        let name = self.name.clone().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| self.slug.clone());
        let about = self.description.as_ref().map_or(0, String::len);
        if name.len() > 200 || about > 1000 {
            return Err(wrong("name", "The name or the description is too long."));
        }
        let aggregation = Aggregation::parse(&self.aggregation);
        let mut aggregation =
            aggregation.ok_or_else(|| wrong("aggregation", "There is no such aggregation."))?;
        if let (Aggregation::Percentile(share), Some(text)) = (&mut aggregation, &self.percentile) {
            *share = percent(text).ok_or_else(|| {
                wrong(
                    "percentile",
                    "A percentile lies between 0 and 100, with at most two digits.",
                )
            })?;
        }
        let path = |text: &String| Path::parse(text);
        let value = match &self.value_property {
            Some(text) => Some(path(text).ok_or_else(|| {
                wrong(
                    "valueProperty",
                    "Write the way to a property as $.usage.tokens.",
                )
            })?),
            None if aggregation == Aggregation::Count => None,
            None => return Err(wrong("valueProperty", "Say which property has the value.")),
        };
        let mut group_by = BTreeMap::new();
        for (name, text) in self.group_by.iter().flatten() {
            let fits = is_slug(&name.to_lowercase()) && group_by.len() < MAX_GROUP_BY;
            let path = path(text).filter(|_| fits);
            let path = path.ok_or_else(|| {
                wrong(
                    "groupBy",
                    "At most eight, each a name and the way to a property.",
                )
            })?;
            group_by.insert(name.clone(), path);
        }
        let product = self.product_id.as_deref().map(ProductId::parse).transpose();
        let product = product.map_err(|_| wrong("productId", "That is no product's id."))?;
        let bills = matches!(aggregation, Aggregation::Count | Aggregation::Sum);
        if product.is_some() && !bills {
            return Err(wrong(
                "productId",
                "Only COUNT and SUM can be billed by a product.",
            ));
        }
        Ok(Draft {
            slug: self.slug.clone(),
            name,
            description: self.description.clone(),
            event_type: self.event_type.clone(),
            aggregation,
            value,
            group_by,
            product,
        })
    }
}

/// Ten-thousands of a percentage's text.
pub fn percent(text: &str) -> Option<u32> {
    let value: Decimal = text.parse().ok()?;
    let hundredths = 10_000_000_000;
    let share = value.raw() / hundredths;
    let whole = value.raw() % hundredths == 0 && (0..=10_000).contains(&share);
    u32::try_from(share).ok().filter(|_| whole)
}

impl Draft {
    /// As JSON again.
    pub fn to_json(&self) -> DraftIn {
        let percentile = match self.aggregation {
            Aggregation::Percentile(share) => Decimal::whole(i64::from(share))
                .divided(100)
                .map(|text| text.to_string()),
            _ => None,
        };
        let pair = |(name, path): (&String, &Path)| (name.clone(), path.text().to_owned());
        DraftIn {
            slug: self.slug.clone(),
            name: Some(self.name.clone()),
            description: self.description.clone(),
            event_type: self.event_type.clone(),
            aggregation: self.aggregation.name().to_owned(),
            value_property: self.value.as_ref().map(|path| path.text().to_owned()),
            group_by: Some(self.group_by.iter().map(pair).collect()),
            percentile,
            product_id: self.product.map(|product| product.to_string()),
        }
    }

    /// What an event says to this meter, or why it says nothing.
    pub fn reading(&self, event: &Event, now: Timestamp) -> Result<Reading, String> {
        let mut reading = Reading {
            at: event.at.unwrap_or(now).ms(),
            arrived: now.ms(),
            value: Decimal::ZERO,
            seen: [0; 16],
        };
        let Some(path) = self
            .value
            .as_ref()
            .filter(|_| self.aggregation != Aggregation::Count)
        else {
            return Ok(reading);
        };
        let leaf = path.of(event);
        let leaf =
            leaf.ok_or_else(|| format!("event data is missing value property at {}", path.text()))?;
        if self.aggregation == Aggregation::UniqueCount {
            reading.seen = seen(leaf.text());
        } else {
            let number = leaf.number();
            let value =
                number.map_err(|why| format!("value at {} cannot be {why}", path.text()))?;
            let level = self.aggregation == Aggregation::WeightedSum;
            if level && value.raw().unsigned_abs() > Decimal::whole(MAX_LEVEL).raw().unsigned_abs()
            {
                return Err(format!("value at {} changes a level too much", path.text()));
            }
            reading.value = value;
        }
        Ok(reading)
    }

    /// The values of the properties to group by, in the order of their names; what is missing is
    /// empty.
    pub fn values<'e>(&self, event: &'e Event) -> Result<Vec<&'e str>, String> {
        let value = |(name, path): (&String, &Path)| {
            let text = path.of(event).map_or("", Leaf::text);
            match text.len() <= MAX_GROUP_VALUE {
                true => Ok(text),
                false => Err(format!(
                    "the value of {name} has more than {MAX_GROUP_VALUE} bytes"
                )),
            }
        };
        self.group_by.iter().map(value).collect()
    }

    /// The same with their names.
    pub fn dimensions(&self, event: &Event) -> Result<BTreeMap<String, String>, String> {
        let values = self.values(event)?.into_iter().map(str::to_owned);
        Ok(self.group_by.keys().cloned().zip(values).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(json: serde_json::Value) -> Result<Draft, String> {
        let read: DraftIn = serde_json::from_value(json).expect("a draft");
        read.read().map_err(|error| error.to_string())
    }

    #[test]
    fn a_meter_is_read_and_written_alike() {
        let json = serde_json::json!({
            "slug": "latency_p99", "eventType": "request", "aggregation": "percentile",
            "valueProperty": "$.took.ms", "percentile": "99.9", "groupBy": {"model": "$['model']"},
        });
        let read = draft(json).expect("a meter");
        assert_eq!(read.aggregation, Aggregation::Percentile(9_990));
        assert_eq!(read.to_json().read().expect("again"), read);
        assert_eq!(read.to_json().percentile.as_deref(), Some("99.9"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (change, field) in [
            (serde_json::json!({"slug": "Tokens"}), "slug"),
            (serde_json::json!({"slug": "a__b"}), "slug"),
            (serde_json::json!({"eventType": ""}), "eventType"),
            (serde_json::json!({"aggregation": "MEDIAN"}), "aggregation"),
            (serde_json::json!({"valueProperty": null}), "valueProperty"),
            (
                serde_json::json!({"valueProperty": "tokens"}),
                "valueProperty",
            ),
            (
                serde_json::json!({"valueProperty": "$..a"}),
                "valueProperty",
            ),
            (serde_json::json!({"groupBy": {"": "$.a"}}), "groupBy"),
            (
                serde_json::json!({"aggregation": "PERCENTILE", "percentile": "101"}),
                "percentile",
            ),
            (
                serde_json::json!({"aggregation": "MAX", "productId": "prd_x"}),
                "productId",
            ),
        ] {
            let mut json = serde_json::json!({"slug": "tokens", "eventType": "prompt", "aggregation": "SUM", "valueProperty": "$.n"});
            for (key, value) in change.as_object().expect("fields") {
                json[key] = value.clone();
            }
            let error = draft(json).expect_err(field);
            assert!(error.starts_with(field), "{error} is not about {field}");
        }
    }
}
