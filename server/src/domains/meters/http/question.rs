//! What is asked about usage, read from a query string or a body, and the answer as CSV.

use super::super::model::meter::percent;
use super::super::model::window::{self, Step};
use super::super::ops::{Answer, ByMeter, UsageQuery};
use super::rfc3339;
use crate::problem::Problem;
use jiff::tz::TimeZone;
use mintreu::id::AccountId;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is asked: as JSON, or in a query string, where lists are repeated.
#[derive(
    Debug, Default, Clone, Deserialize, serde::Serialize, utoipa::ToSchema, utoipa::IntoParams,
)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", default)]
pub struct QuestionIn {
    /// RFC 3339, or milliseconds since 1970.
    pub from: Option<String>,
    /// The first instant that is left out.
    pub to: Option<String>,
    /// MINUTE, HOUR, DAY or MONTH.
    pub window_size: Option<String>,
    /// An IANA name; UTC without.
    pub window_time_zone: Option<String>,
    /// At most 100.
    pub subject: Option<Vec<String>>,
    /// A property's name and the values that count; `filterGroupBy[model]=a` in a query string,
    /// where it may be repeated.
    #[param(style = DeepObject, explode, value_type = Option<BTreeMap<String, String>>)]
    pub filter_group_by: Option<BTreeMap<String, OneOrMany>>,
    /// Names of properties, or `subject`.
    pub group_by: Option<Vec<String>>,
    /// For a meter of percentiles: another one.
    pub percentile: Option<String>,
    /// Answer windows in which nothing happened.
    pub fill: bool,
}

/// A value, or some.
#[derive(Debug, Clone, Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Some.
    Many(Vec<String>),
}

fn wrong(field: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(400, "question_malformed", detail).at(field)
}

/// An instant: RFC 3339, or milliseconds.
pub fn instant(field: &'static str, text: &str) -> Result<i64, Problem> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    // A plus sign that nobody escaped arrives as a space.
    let read: Result<jiff::Timestamp, _> = text.replace(' ', "+").parse();
    let read = read.or_else(|_| text.parse());
    read.map(|at| at.as_millisecond())
        .map_err(|_| wrong(field, format!("{field} is no RFC 3339 instant.")))
}

impl QuestionIn {
    /// From the parameters of a query string; unknown ones are ignored.
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut question = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "from" => question.from = Some(value),
                "to" => question.to = Some(value),
                "windowSize" => question.window_size = Some(value),
                "windowTimeZone" => question.window_time_zone = Some(value),
                "subject" => question.subject.get_or_insert_default().push(value),
                "groupBy" => question.group_by.get_or_insert_default().push(value),
                "percentile" => question.percentile = Some(value),
                "fill" => question.fill = value == "true",
                "advancedMeterGroupByFilters" | "filterCustomerId" => {
                    return Err(Problem::new(
                        400,
                        "filter_unsupported",
                        format!("{name} is not read here; use subject and filterGroupBy."),
                    ));
                }
                _ => {
                    let key = name.strip_prefix("filterGroupBy[");
                    if let Some(key) = key.and_then(|key| key.strip_suffix(']')) {
                        let filters = question.filter_group_by.get_or_insert_default();
                        let kept = filters.entry(key.to_owned());
                        match kept.or_insert_with(|| OneOrMany::Many(Vec::new())) {
                            OneOrMany::Many(values) => values.push(value),
                            OneOrMany::One(_) => {}
                        }
                    }
                }
            }
        }
        Ok(question)
    }

    /// The question to a seller's meter.
    pub fn ask(self, seller: AccountId, meter: ByMeter) -> Result<UsageQuery, Problem> {
        let from = self.from.as_deref().map(|text| instant("from", text));
        let until = self.to.as_deref().map(|text| instant("to", text));
        let zone = match &self.window_time_zone {
            Some(name) => {
                window::zone(name).map_err(|error| wrong("windowTimeZone", error.to_string()))?
            }
            None => TimeZone::UTC,
        };
        let step = self.window_size.as_deref().map(|text| {
            Step::parse(text).ok_or_else(|| wrong("windowSize", "MINUTE, HOUR, DAY or MONTH."))
        });
        let share = self.percentile.as_deref().map(|text| {
            percent(text).ok_or_else(|| wrong("percentile", "A percentile lies between 0 and 100."))
        });
        let mut group_by = self.group_by.unwrap_or_default();
        let by_subject = group_by.iter().any(|name| name == "subject");
        group_by.retain(|name| name != "subject");
        let values = |(name, values)| {
            let values: BTreeSet<String> = match values {
                OneOrMany::One(value) => [value].into(),
                OneOrMany::Many(values) => values.into_iter().collect(),
            };
            (name, values)
        };
        let filters = self.filter_group_by.unwrap_or_default();
        Ok(UsageQuery {
            seller,
            meter,
            from: from.transpose()?,
            until: until.transpose()?,
            step: step.transpose()?.map(|step| (step, zone)),
            subjects: self.subject.unwrap_or_default(),
            by_subject,
            filters: filters.into_iter().map(values).collect(),
            group_by,
            percentile: share.transpose()?,
            fill: self.fill,
        })
    }
}

/// A text as a field of CSV. A sign in front of what is no number would be a formula in a
/// spreadsheet, so it gets a quote before it.
pub fn csv_field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '@', '\t', '\r'])
        || (text.starts_with('-')
            && text
                .parse::<super::super::model::decimal::Decimal>()
                .is_err());
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// The rows of an answer: window, subject, the properties asked by, value, events, exact.
pub fn csv(answer: &Answer, group_by: &[String]) -> String {
    let mut lines = String::from("window_start,window_end,subject");
    for name in group_by {
        lines.push(',');
        lines.push_str(&csv_field(name));
    }
    lines.push_str(",value,events,exact\r\n");
    for row in &answer.rows {
        let mut fields = vec![
            rfc3339(row.span.from),
            rfc3339(row.span.until),
            row.subject.clone().unwrap_or_default(),
        ];
        let group = |name| row.group.get(name).cloned().unwrap_or_default();
        fields.extend(group_by.iter().map(group));
        fields.push(
            row.figure
                .value
                .map(|value| value.to_string())
                .unwrap_or_default(),
        );
        fields.push(row.figure.events.to_string());
        fields.push(row.figure.exact.to_string());
        let fields: Vec<_> = fields.iter().map(|field| csv_field(field)).collect();
        lines.push_str(&fields.join(","));
        lines.push_str("\r\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_field_is_a_formula() {
        assert_eq!(csv_field("=1+1"), "'=1+1");
        assert_eq!(csv_field("-1"), "-1");
        assert_eq!(csv_field("-cmd"), "'-cmd");
        assert_eq!(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }

    #[test]
    fn a_question_is_read_from_its_parameters() {
        let text = "from=2027-01-01T00:00:00Z&to=5&subject=a&subject=b&groupBy=model\
            &groupBy=subject&filterGroupBy[model]=x&windowSize=day&windowTimeZone=Europe/Berlin";
        let pairs = serde_urlencoded::from_str(text).expect("pairs");
        let question = QuestionIn::from_pairs(pairs).expect("a question");
        let seller = AccountId::from_bytes([1; 16]);
        let asked = question
            .ask(seller, ByMeter("m".to_owned()))
            .expect("reads");
        assert_eq!(asked.from, Some(1_798_761_600_000));
        assert_eq!((asked.until, asked.by_subject), (Some(5), true));
        assert_eq!(asked.subjects, ["a", "b"]);
        assert_eq!(asked.group_by, ["model"]);
        assert!(asked.filters["model"].contains("x"));
        let refused = QuestionIn::from_pairs(vec![("filterCustomerId".into(), "c".into())]);
        assert_eq!(refused.expect_err("refused").code, "filter_unsupported");
    }
}
