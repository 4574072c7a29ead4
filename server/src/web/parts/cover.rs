//! A product's cover: a quiet pattern made from its code, so that a shop without pictures still
//! has a face for everything it sells, and the same one every time.

use crate::domains::catalog::Kind;
use askama::filters::HtmlSafe;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 104;
/// How many colour families the style sheet has.
const TONES: u8 = 6;

/// The drawing, made of numbers only.
#[derive(Debug, Clone)]
pub struct Cover(String);

impl HtmlSafe for Cover {}

impl fmt::Display for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Cover {
    /// The cover of the product with this code; its kind picks the pattern.
    pub fn of(code: &str, kind: Kind) -> Self {
        let seed: [u8; 32] = Sha256::digest(code.as_bytes()).into();
        let tone = seed[0] % TONES;
        let mut shapes = String::new();
        let drawn = match kind {
            Kind::Download => layers(&mut shapes, &seed),
            Kind::Api => pulses(&mut shapes, &seed),
            Kind::Subscription => rings(&mut shapes, &seed),
            Kind::Package => blocks(&mut shapes, &seed),
            Kind::Consultation => circles(&mut shapes, &seed),
        };
        debug_assert!(drawn.is_ok(), "writing to a String can't fail");
        Self(format!(
            "<svg class=\"cover tone-{tone}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             preserveAspectRatio=\"xMidYMid slice\" aria-hidden=\"true\">{shapes}</svg>"
        ))
    }
}

/// Sheets that lie over each other.
fn layers(out: &mut String, seed: &[u8; 32]) -> fmt::Result {
    for (index, byte) in (0_u32..).zip(&seed[1..5]) {
        let x = 20 + u32::from(*byte) % 120;
        let y = 14 + index * 22;
        let width = 90 + u32::from(byte.rotate_left(3)) % 90;
        let class = if index % 2 == 0 { "a" } else { "b" };
        write!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"12\" rx=\"6\"/>"
        )?;
    }
    Ok(())
}

/// A line of calls, high and low.
fn pulses(out: &mut String, seed: &[u8; 32]) -> fmt::Result {
    for (index, byte) in (0_u32..).zip(&seed[1..17]) {
        let height = 8 + u32::from(*byte) % 72;
        let x = 18 + index * 18;
        let y = HEIGHT / 2 - height / 2;
        let class = if byte % 4 == 0 { "b" } else { "a" };
        write!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{height}\" rx=\"4\"/>"
        )?;
    }
    Ok(())
}

/// What comes back every month.
fn rings(out: &mut String, seed: &[u8; 32]) -> fmt::Result {
    let x = 90 + u32::from(seed[1]) % 140;
    let gap = 12 + u32::from(seed[2]) % 8;
    write!(
        out,
        "<circle class=\"a\" cx=\"{x}\" cy=\"52\" r=\"{gap}\"/>"
    )?;
    for ring in 2..7 {
        let radius = ring * gap;
        write!(
            out,
            "<circle class=\"stroke\" cx=\"{x}\" cy=\"52\" r=\"{radius}\"/>"
        )?;
    }
    Ok(())
}

/// Parts that fit together.
fn blocks(out: &mut String, seed: &[u8; 32]) -> fmt::Result {
    for row in 0..3_u32 {
        for column in 0..10_u32 {
            let byte = seed[usize::try_from(row * 10 + column).unwrap_or(0) % 32];
            let class = match byte % 5 {
                0 => "b",
                1 | 2 => "a",
                _ => continue,
            };
            let (x, y) = (12 + column * 30, 10 + row * 30);
            write!(
                out,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"24\" height=\"24\" rx=\"5\"/>"
            )?;
        }
    }
    Ok(())
}

/// Two who meet.
fn circles(out: &mut String, seed: &[u8; 32]) -> fmt::Result {
    let apart = 24 + u32::from(seed[1]) % 32;
    let left = 120 + u32::from(seed[2]) % 40;
    let right = left + apart;
    write!(
        out,
        "<circle class=\"a\" cx=\"{left}\" cy=\"52\" r=\"34\"/>"
    )?;
    write!(
        out,
        "<circle class=\"stroke\" cx=\"{right}\" cy=\"52\" r=\"34\"/>"
    )?;
    let small = 6 + u32::from(seed[3]) % 8;
    write!(
        out,
        "<circle class=\"b\" cx=\"{right}\" cy=\"52\" r=\"{small}\"/>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cover_is_the_same_every_time_and_short() {
        for kind in Kind::ALL {
            let cover = Cover::of("acme.editor", *kind).to_string();
            assert_eq!(cover, Cover::of("acme.editor", *kind).to_string());
            assert!(cover.len() < 2_500, "{} bytes for {kind:?}", cover.len());
        }
    }
}
