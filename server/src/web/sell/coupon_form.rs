//! The form of a coupon: its inputs as text, read into a rule and written from one.

use crate::domains::catalog::Product;
use crate::domains::promotions::{Amount, Coupon, Lasts, Rule};
use mintreu::price::parse_amount;
use mintreu::{Currency, Money, Timestamp};
use serde::Deserialize;

/// An input and the key of the sentence that says what is wrong with it.
pub type Mistake = (&'static str, &'static str);

/// What the form sends.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct CouponForm {
    pub code: String,
    /// `20 %`, or `5.00 EUR, 6.00 USD`.
    pub off: String,
    pub starts: String,
    pub ends: String,
    pub most: String,
    pub each: String,
    pub least: String,
    pub spend: String,
    pub lasts: String,
    pub cycles: String,
    /// A product's code a line.
    pub products: String,
}

impl Default for CouponForm {
    fn default() -> Self {
        Self {
            code: String::new(),
            off: String::new(),
            starts: String::new(),
            ends: String::new(),
            most: String::new(),
            each: String::new(),
            least: "1".to_owned(),
            spend: String::new(),
            lasts: "once".to_owned(),
            cycles: String::new(),
            products: String::new(),
        }
    }
}

impl CouponForm {
    /// The form that would write `coupon` as it is.
    pub fn of(coupon: &Coupon, products: &[Product]) -> Self {
        let rule = &coupon.rule;
        let number =
            |number: Option<i64>| number.map_or(String::new(), |number| number.to_string());
        let code = |id: &String| {
            let known = products.iter().find(|one| one.id.to_string() == *id);
            known.map_or_else(|| id.clone(), |one| one.code.clone())
        };
        Self {
            code: coupon.code.clone(),
            off: match rule.percent_bps {
                Some(bps) => percent_text(bps),
                None => amounts_text(&rule.off),
            },
            starts: rule.starts_at.map_or(String::new(), day_text),
            ends: rule.ends_at.map_or(String::new(), day_text),
            most: number(rule.max_units),
            each: number(rule.max_per_customer),
            least: rule.min_quantity.to_string(),
            spend: amounts_text(&rule.min_spend),
            lasts: match rule.lasts {
                Lasts::Once => "once",
                Lasts::Cycles(_) => "cycles",
                Lasts::Forever => "forever",
            }
            .to_owned(),
            cycles: match rule.lasts {
                Lasts::Cycles(cycles) => cycles.to_string(),
                _ => String::new(),
            },
            products: rule
                .products
                .iter()
                .map(code)
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    /// The rule that the form says, or everything in it that can't be read.
    pub fn rule(&self, own: &[Product]) -> Result<Rule, Vec<Mistake>> {
        let mut wrong = Vec::new();
        let mut rule = Rule {
            percent_bps: None,
            off: Vec::new(),
            products: Vec::new(),
            starts_at: read_day("starts", &self.starts, &mut wrong),
            ends_at: read_day("ends", &self.ends, &mut wrong),
            max_units: read_count("most", &self.most, &mut wrong),
            max_per_customer: read_count("each", &self.each, &mut wrong),
            min_quantity: read_count("least", &self.least, &mut wrong).unwrap_or(1),
            min_spend: Vec::new(),
            lasts: match self.lasts.as_str() {
                "forever" => Lasts::Forever,
                "cycles" => {
                    let cycles = read_count("cycles", &self.cycles, &mut wrong);
                    Lasts::Cycles(cycles.unwrap_or(0))
                }
                _ => Lasts::Once,
            },
        };
        match read_percent(&self.off) {
            Some(bps) => rule.percent_bps = Some(bps),
            None => match read_amounts(&self.off) {
                Some(off) if !off.is_empty() => rule.off = off,
                _ => wrong.push(("off", "coupon-takes-wrong")),
            },
        }
        match read_amounts(&self.spend) {
            Some(spend) => rule.min_spend = spend,
            None => wrong.push(("spend", "coupon-spend-wrong")),
        }
        for line in self.products.lines().map(str::trim) {
            match own.iter().find(|one| one.code == line) {
                _ if line.is_empty() => {}
                Some(product) => rule.products.push(product.id.to_string()),
                None => wrong.push(("products", "coupon-products-wrong")),
            }
        }
        match wrong.is_empty() {
            true => Ok(rule),
            false => Err(wrong),
        }
    }
}

/// `20 %`, or `12.5 %`.
pub fn percent_text(bps: u32) -> String {
    let text = format!("{}.{:02}", bps / 100, bps % 100);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

fn read_percent(text: &str) -> Option<u32> {
    let number = text.trim().strip_suffix('%')?.trim();
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=3).contains(&whole.len()) || part.len() > 2 || !digits(whole) || !digits(part) {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    Some(whole.parse::<u32>().ok()? * 100 + part)
}

pub(super) fn amounts_text(amounts: &[Amount]) -> String {
    let texts = amounts.iter().filter_map(|amount| {
        let currency = Currency::parse(&amount.currency).ok()?;
        Some(Money::new(amount.amount_minor, currency).to_string())
    });
    texts.collect::<Vec<_>>().join(", ")
}

pub(super) fn read_amounts(text: &str) -> Option<Vec<Amount>> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let amount = |part: &str| {
        let (amount, currency) = part.split_once(' ')?;
        let currency = Currency::parse(currency.trim()).ok()?;
        Some(Amount {
            amount_minor: parse_amount(amount, currency).ok()?,
            currency: currency.code().to_owned(),
        })
    };
    parts.map(amount).collect()
}

fn day_text(ms: i64) -> String {
    let text = crate::web::format::rfc3339(Timestamp::from_ms(ms));
    match text.split_once("T00:00:00") {
        Some((day, _)) => day.to_owned(),
        None => text,
    }
}

fn read_day(input: &'static str, text: &str, wrong: &mut Vec<Mistake>) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    match crate::domains::licensing::batches::rows::instant(text) {
        Ok(instant) => Some(instant.ms()),
        Err(_) => {
            wrong.push((input, "coupon-day-wrong"));
            None
        }
    }
}

fn read_count(input: &'static str, text: &str, wrong: &mut Vec<Mistake>) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let number = text.parse().ok();
    if number.is_none() {
        wrong.push((input, "field-number"));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_and_amounts_are_read_as_they_are_written() {
        for (text, bps) in [
            ("20 %", 2_000),
            ("12.5%", 1_250),
            ("0.01 %", 1),
            ("100%", 10_000),
        ] {
            assert_eq!(read_percent(text), Some(bps), "{text}");
            assert_eq!(read_percent(&percent_text(bps)), Some(bps));
        }
        for text in ["20", "%", "-5 %", "1.234 %", "1000 %", "a %"] {
            assert_eq!(read_percent(text), None, "{text}");
        }
        let amounts = read_amounts("5.00 EUR, 600 JPY").expect("amounts");
        assert_eq!(amounts_text(&amounts), "5.00 EUR, 600 JPY");
        assert_eq!(read_amounts("5 gold"), None);
    }

    #[test]
    fn a_rule_survives_its_form() {
        let form = CouponForm {
            code: "SPRING".to_owned(),
            off: "20 %".to_owned(),
            starts: "2027-01-20".to_owned(),
            most: "5".to_owned(),
            lasts: "cycles".to_owned(),
            cycles: "3".to_owned(),
            ..CouponForm::default()
        };
        let rule = form.rule(&[]).expect("a rule");
        let coupon = Coupon {
            id: mintreu::id::CouponId::from_bytes([0; 16]),
            seller: mintreu::id::AccountId::from_bytes([0; 16]),
            code: "SPRING".to_owned(),
            rule: rule.clone(),
            taken: 0,
            created_at: Timestamp::from_ms(0),
            disabled_at: None,
        };
        let again = CouponForm::of(&coupon, &[]);
        assert_eq!(again.starts, "2027-01-20");
        assert_eq!(again.rule(&[]).expect("a rule"), rule);
        let bad = CouponForm {
            off: "free".to_owned(),
            most: "x".to_owned(),
            ..form
        };
        let inputs = bad.rule(&[]).expect_err("mistakes");
        assert_eq!(
            inputs.iter().map(|one| one.0).collect::<Vec<_>>(),
            ["most", "off"]
        );
    }
}
