//! Where a list goes on: an instant and an id, so that what is added meanwhile shifts nothing.

use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::Timestamp;
use std::fmt;
use std::str::FromStr;

/// After which row the next page starts. Its text is opaque to callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last row's instant (or any other integer that the list is ordered by).
    pub at: Timestamp,
    /// The last row's id, which breaks ties.
    pub id: [u8; 16],
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.at.ms().to_be_bytes());
        bytes[8..].copy_from_slice(&self.id);
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let parts = bytes.as_deref().and_then(|bytes| {
            let (at, id) = bytes.split_first_chunk::<8>()?;
            Some((i64::from_be_bytes(*at), <[u8; 16]>::try_from(id).ok()?))
        });
        let (at, id) = parts.ok_or_else(|| {
            let detail = "Pass `next` of the page before as it was given.";
            Problem::new(400, "cursor_malformed", detail).at("after")
        })?;
        Ok(Self {
            at: Timestamp::from_ms(at),
            id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = Cursor {
            at: Timestamp::from_ms(-5),
            id: [9; 16],
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!("".parse::<Cursor>().is_err() && "AAAA".parse::<Cursor>().is_err());
    }
}
