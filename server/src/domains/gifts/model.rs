//! A gift, its recipient, and what may be written to them. Pure.

use crate::domains::orders::is_address;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{AccountId, GiftId, OrderId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Most characters of a message.
pub const MAX_MESSAGE: usize = 500;
/// Most characters of the name that a gift is from.
pub const MAX_NAME: usize = 80;
/// Most days ahead that a gift can be sent.
const MAX_DAYS: i64 = 366;
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The hour of its day (UTC) at which a gift is sent: it is the same day from Los Angeles to Tokyo.
const SENT_AT_MS: i64 = 8 * HOUR_MS;

/// Whom an order shall be given to, as its buyer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGift {
    /// Where the link goes.
    pub email: String,
    /// Whom it is from, for the recipient to read; may be empty.
    pub sender: String,
    /// Plain text of at most [`MAX_MESSAGE`] characters; may be empty.
    pub message: String,
    /// The day on which it is sent, `2026-12-24`; empty for at once.
    pub send_on: String,
}

/// What stands in a gift's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where the link goes.
    pub email: String,
    /// Whom it is from; may be empty.
    pub sender: String,
    /// May be empty; its lines are parted by `\n`.
    pub message: String,
}

impl NewGift {
    /// What is kept of it, and when it is sent at the earliest.
    pub fn checked(&self, now: Timestamp) -> Result<(Recipient, Timestamp), GiftError> {
        let recipient = Recipient {
            email: address(&self.email)?,
            sender: plain(&self.sender, MAX_NAME).ok_or(GiftError::Sender)?,
            message: plain(&self.message, MAX_MESSAGE).ok_or(GiftError::Message)?,
        };
        if recipient.sender.contains('\n') {
            return Err(GiftError::Sender);
        }
        Ok((recipient, self.sent_at(now)?))
    }

    /// The instant on the wished day, which is today or one of the next year's.
    fn sent_at(&self, now: Timestamp) -> Result<Timestamp, GiftError> {
        let text = self.send_on.trim();
        if text.is_empty() {
            return Ok(now);
        }
        let day: jiff::civil::Date = text.parse().map_err(|_| GiftError::Day)?;
        let start = day.to_zoned(jiff::tz::TimeZone::UTC);
        let start = start.map_err(|_| GiftError::Day)?.timestamp();
        let today = now.ms().div_euclid(DAY_MS);
        let day = start.as_millisecond().div_euclid(DAY_MS);
        if !(today..=today + MAX_DAYS).contains(&day) {
            return Err(GiftError::Day);
        }
        Ok(Timestamp::from_ms(day * DAY_MS + SENT_AT_MS).max(now))
    }
}

/// An address that mail can go to, without blanks around it.
pub(super) fn address(text: &str) -> Result<String, GiftError> {
    let text = text.trim();
    match is_address(text) {
        true => Ok(text.to_owned()),
        false => Err(GiftError::Address),
    }
}

/// Text with plain line ends and no other control characters; none when it is too long.
fn plain(text: &str, most: usize) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let sound = |c: char| c == '\n' || !c.is_control();
    (text.chars().count() <= most && text.chars().all(sound)).then(|| text.to_owned())
}

/// A gift.
#[derive(Clone, PartialEq, Eq)]
pub struct Gift {
    /// The gift.
    pub id: GiftId,
    /// The order that is given.
    pub order: OrderId,
    /// Which link is good: each address has its own.
    pub round: i64,
    /// How many mails went out.
    pub sendings: i64,
    /// When it is sent, at the earliest.
    pub send_at: Timestamp,
    /// When it was last sent.
    pub sent_at: Option<Timestamp>,
    /// When it was claimed.
    pub claimed_at: Option<Timestamp>,
    /// Whose it is; `None` when it was claimed without an account.
    pub claimed_by: Option<AccountId>,
    /// SHA-256 of the secret in the link.
    pub(super) claim_hash: Vec<u8>,
}

/// Where a gift stands, as its buyer reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiftState {
    /// Its order isn't paid.
    AwaitingPayment,
    /// It is sent on its day.
    Scheduled,
    /// It was sent and can be claimed.
    Sent,
    /// Its recipient has it.
    Claimed,
    /// Its price went back before anybody claimed it.
    Void,
}

impl GiftState {
    /// As answers name it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::Scheduled => "scheduled",
            Self::Sent => "sent",
            Self::Claimed => "claimed",
            Self::Void => "void",
        }
    }
}

impl Gift {
    /// Where it stands, once it is known whether its order was paid and whether all of that went
    /// back, or is about to.
    pub fn state(&self, (paid, gone): (bool, bool)) -> GiftState {
        match (self.claimed_at, self.sent_at) {
            (Some(_), _) => GiftState::Claimed,
            _ if !paid => GiftState::AwaitingPayment,
            _ if gone => GiftState::Void,
            (None, Some(_)) => GiftState::Sent,
            (None, None) => GiftState::Scheduled,
        }
    }

    /// Whether it waits for its day.
    pub fn waits(&self, now: Timestamp) -> bool {
        self.send_at > now
    }

    /// Whether `token` is the secret of the link that is good now.
    pub fn opens(&self, token: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        hash.as_slice().ct_eq(self.claim_hash.as_slice()).into()
    }

    /// Whether `token` opens what was claimed: without an account, nothing else does; an account
    /// needs no link.
    pub fn shows(&self, token: Option<&str>) -> bool {
        let loose = self.claimed_at.is_some() && self.claimed_by.is_none();
        loose && token.is_some_and(|token| self.opens(token))
    }
}

/// Why something can't be given, or claimed.
#[derive(Debug, thiserror::Error)]
pub enum GiftError {
    /// No such gift, or not for this caller to see.
    #[error("there is no such gift")]
    NotFound,
    /// The recipient's address can't be one.
    #[error("a gift needs the recipient's e-mail address")]
    Address,
    /// The sender's name is too long or not plain.
    #[error("the name that a gift is from is one line of at most {MAX_NAME} characters")]
    Sender,
    /// The message is too long or not plain.
    #[error("a gift's message is plain text of at most {MAX_MESSAGE} characters")]
    Message,
    /// The day is none, or past, or too far ahead.
    #[error("a gift is sent today or on a day of the next year, written as 2026-12-24")]
    Day,
    /// Nothing is paid for it.
    #[error("what costs nothing can't be given: send the recipient the product's address")]
    Free,
    /// Its usage is billed, and the recipient has agreed to no bills.
    #[error("{0} is billed by its usage and can't be given: nobody has agreed to its bills")]
    Metered(String),
    /// It was claimed before.
    #[error("this gift was claimed already")]
    Claimed,
    /// Its price went back.
    #[error("this gift was taken back: its price was refunded")]
    Void,
    /// It was sent as often as it can be.
    #[error("a gift is sent at most {} times", super::ops::MAX_SENDINGS)]
    SentOften,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gift() -> NewGift {
        NewGift {
            email: " ada@example.org ".to_owned(),
            sender: "Grace".to_owned(),
            message: "Happy\r\nbirthday".to_owned(),
            send_on: String::new(),
        }
    }

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().expect("an instant");
        Timestamp::from_ms(instant.as_millisecond())
    }

    #[test]
    fn what_is_written_is_kept_plain_and_short() {
        let now = at("2027-01-15T08:00:00Z");
        let (kept, sent) = gift().checked(now).expect("is sound");
        assert_eq!((kept.email.as_str(), sent), ("ada@example.org", now));
        assert_eq!(kept.message, "Happy\nbirthday");
        let wrong = |change: fn(&mut NewGift)| {
            let mut gift = gift();
            change(&mut gift);
            gift.checked(now).expect_err("is refused")
        };
        let error = wrong(|gift| gift.email = "ada".to_owned());
        assert!(matches!(error, GiftError::Address));
        let error = wrong(|gift| gift.sender = "Grace\nHopper".to_owned());
        assert!(matches!(error, GiftError::Sender));
        let error = wrong(|gift| gift.message = "é".repeat(MAX_MESSAGE + 1));
        assert!(matches!(error, GiftError::Message));
        let error = wrong(|gift| gift.message = "a\u{7}b".to_owned());
        assert!(matches!(error, GiftError::Message));
        // The control: as long as it may be.
        let mut long = gift();
        long.message = "é".repeat(MAX_MESSAGE);
        assert!(long.checked(now).is_ok());
    }

    #[test]
    fn a_gift_is_sent_on_its_day() {
        let now = at("2027-01-15T09:30:00Z");
        let on = |day: &str| {
            let wished = NewGift {
                send_on: day.to_owned(),
                ..gift()
            };
            wished.checked(now).map(|(_, sent)| sent)
        };
        assert_eq!(on("2027-01-15").expect("today"), now);
        let later = on("2027-02-14").expect("a day");
        assert_eq!(later, at("2027-02-14T08:00:00Z"));
        assert_eq!(
            on("2028-01-16").expect("a year"),
            at("2028-01-16T08:00:00Z")
        );
        for bad in [
            "2027-01-14",
            "2028-01-17",
            "2027-02-30",
            "soon",
            "9999-12-31",
        ] {
            assert!(matches!(on(bad), Err(GiftError::Day)), "{bad}");
        }
    }

    #[test]
    fn a_state_follows_from_what_happened() {
        let mut gift = Gift {
            id: GiftId::from_bytes([1; 16]),
            order: OrderId::from_bytes([2; 16]),
            round: 1,
            sendings: 0,
            send_at: at("2027-01-15T08:00:00Z"),
            sent_at: None,
            claimed_at: None,
            claimed_by: None,
            claim_hash: Sha256::digest(b"secret").to_vec(),
        };
        assert_eq!(gift.state((false, false)), GiftState::AwaitingPayment);
        assert_eq!(gift.state((true, false)), GiftState::Scheduled);
        gift.sent_at = Some(gift.send_at);
        assert_eq!(gift.state((true, false)), GiftState::Sent);
        assert_eq!(gift.state((true, true)), GiftState::Void);
        assert!(gift.opens("secret") && !gift.opens("another") && !gift.shows(Some("secret")));
        gift.claimed_at = gift.sent_at;
        assert_eq!(gift.state((true, true)), GiftState::Claimed);
        assert!(gift.shows(Some("secret")) && !gift.shows(Some("another")) && !gift.shows(None));
        gift.claimed_by = Some(AccountId::from_bytes([3; 16]));
        assert!(!gift.shows(Some("secret")), "an account needs no link");
    }
}
