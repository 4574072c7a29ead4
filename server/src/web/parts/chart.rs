//! Charts drawn on the server: numbers in, shapes out, with a table that says the same.

use askama::Template;
use askama::filters::HtmlSafe;

/// The drawing's inner size; the page stretches it, and so its labels stand outside.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 160;

/// One step of a chart.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its name in the table and below the drawing: a day.
    pub label: String,
    /// How high.
    pub value: u64,
    /// The value ready formatted.
    pub text: String,
}

/// Words around the numbers.
#[derive(Debug, Clone, Default)]
pub struct ChartWords {
    /// What is shown, in a sentence: the drawing's text equivalent.
    pub title: String,
    /// Opens the table.
    pub as_table: String,
    /// Over the first column.
    pub step: String,
    /// Over the second.
    pub value: String,
}

struct Column {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    tip: String,
}

/// Bars over time, with a limit if there is one.
#[derive(Template)]
#[template(path = "parts/chart.html")]
pub struct Chart {
    words: ChartWords,
    points: Vec<Point>,
    columns: Vec<Column>,
    top_text: String,
    limit: Option<(u32, String)>,
    /// Names of the first, the middle and the last step.
    marks: Vec<String>,
}

impl HtmlSafe for Chart {}

impl Chart {
    /// A bar a point. `limit` is a value and its label, drawn as a line across.
    pub fn bars(words: ChartWords, points: Vec<Point>, limit: Option<(u64, String)>) -> Self {
        let highest = points.iter().max_by_key(|point| point.value);
        let top_text = highest.map(|point| point.text.clone()).unwrap_or_default();
        let top = highest.map_or(0, |point| point.value);
        // The scale reaches the limit only when it is near: a far limit would flatten every bar.
        let near = limit.filter(|(value, _)| *value <= top.saturating_mul(3).max(1));
        let top = top.max(near.as_ref().map_or(0, |(value, _)| *value)).max(1);
        let limit = near.map(|(value, text)| (HEIGHT - scaled(value, top, HEIGHT), text));
        let step = WIDTH
            / u32::try_from(points.len().max(1))
                .unwrap_or(u32::MAX)
                .max(1);
        let columns = (0_u32..).zip(&points).map(|(index, point)| {
            let height = scaled(point.value, top, HEIGHT);
            Column {
                x: index * step,
                y: HEIGHT - height,
                width: step.saturating_sub(2).max(1),
                height,
                tip: format!("{}: {}", point.label, point.text),
            }
        });
        Self {
            columns: columns.collect(),
            marks: marks(&points),
            top_text,
            limit,
            words,
            points,
        }
    }
}

/// A value's height; something is never drawn as nothing.
fn scaled(value: u64, top: u64, room: u32) -> u32 {
    let height = u128::from(value) * u128::from(room) / u128::from(top);
    let height = u32::try_from(height).unwrap_or(room).min(room);
    if value > 0 { height.max(2) } else { 0 }
}

/// Names of the first, the middle and the last step, each once.
fn marks(points: &[Point]) -> Vec<String> {
    let last = points.len().saturating_sub(1);
    let shown = [0, last / 2, last].into_iter();
    let mut labels: Vec<String> = shown
        .filter_map(|index| points.get(index).map(|point| point.label.clone()))
        .collect();
    labels.dedup();
    labels
}

/// How much of something is used, as a line that fills.
#[derive(Template)]
#[template(path = "parts/bar.html")]
pub struct Bar {
    label: String,
    text: String,
    class: &'static str,
    /// 0 to 100.
    filled: u64,
}

impl HtmlSafe for Bar {}

impl Bar {
    /// `used` of `limit`; `text` says both. Near from 80 in a hundred.
    pub fn new(label: String, text: String, used: u64, limit: u64) -> Self {
        let percent = u128::from(used) * 100 / u128::from(limit.max(1));
        let class = if percent < 80 { "" } else { "near" };
        let filled = u64::try_from(percent.min(100)).unwrap_or(100);
        Self {
            label,
            text,
            class,
            filled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[u64]) -> Vec<Point> {
        let point = |value: &u64| Point {
            label: format!("day {value}"),
            value: *value,
            text: value.to_string(),
        };
        values.iter().map(point).collect()
    }

    #[test]
    fn bars_fit_and_small_values_stay_visible() {
        let chart = Chart::bars(
            ChartWords::default(),
            points(&[0, 1, 1_000_000, u64::MAX]),
            None,
        );
        let heights: Vec<u32> = chart.columns.iter().map(|column| column.height).collect();
        assert_eq!(heights, [0, 2, 2, HEIGHT]);
        assert!(
            chart
                .columns
                .iter()
                .all(|column| column.y + column.height == HEIGHT)
        );
    }

    #[test]
    fn a_chart_says_its_numbers_in_a_table() {
        let chart = Chart::bars(ChartWords::default(), points(&[7, 9]), None).to_string();
        assert!(chart.contains("<table"), "{chart}");
        assert!(chart.contains("day 7") && chart.contains(">9<"), "{chart}");
    }

    #[test]
    fn nothing_to_show_is_no_panic() {
        let chart = Chart::bars(
            ChartWords::default(),
            Vec::new(),
            Some((0, "limit".to_owned())),
        );
        assert!(chart.to_string().contains("<svg"));
        let bar = Bar::new("calls".to_owned(), "5 of 0".to_owned(), 5, 0);
        assert_eq!((bar.class, bar.filled), ("near", 100));
    }
}
