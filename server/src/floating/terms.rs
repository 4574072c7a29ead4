//! For how long a seat is lent, and whether it may be. Pure.

use super::delegation::Delegation;
use mintreu::license::{ClockState, Facts, OnExpiry, Status, judge};
use mintreu::{Error, Result, Timestamp};

/// Seconds of running that a clock in doubt is tolerated, where the license doesn't say.
const SUSPECT_SECS: u32 = 3 * 86_400;

/// What the operator chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Seconds that a seat is kept for without a word of its device.
    pub lease_secs: u32,
    /// Seconds that a seat is lent for at most to a device that asks for longer.
    pub borrow_secs: u32,
    /// Seats to lend; all of the license when absent.
    pub seats: Option<u32>,
}

impl Terms {
    /// Refuses terms that the license doesn't cover; gives the number of seats.
    pub fn check(&self, delegation: &Delegation) -> Result<u32> {
        if self.lease_secs < 2 || self.borrow_secs < self.lease_secs {
            return Err(Error::new(
                "terms_invalid",
                "a lease lasts two seconds at least, and a seat is borrowed for no less than that",
            ));
        }
        let licensed = delegation.license().claims().seats;
        match (self.seats, licensed) {
            (Some(0), _) => Err(Error::new("terms_invalid", "lend at least one seat")),
            (Some(asked), Some(licensed)) if asked > licensed => Err(Error::new(
                "seats_above_license",
                format!("the license has {licensed} seats, not {asked}"),
            )),
            (Some(seats), _) | (None, Some(seats)) => Ok(seats),
            (None, None) => Err(Error::new(
                "seats_unbounded",
                "the license has no number of seats; say how many to lend with --seats",
            )),
        }
    }

    /// When a seat ends that is asked for at `now` (in seconds), for `wish` seconds if the device
    /// wishes; it never ends before `kept`, and never after `last`.
    pub fn end(&self, now: i64, wish: Option<u32>, kept: Option<i64>, last: i64) -> i64 {
        let wish = wish.map_or(self.lease_secs, |wish| wish.min(self.borrow_secs));
        let end = now.saturating_add(i64::from(wish.max(self.lease_secs)));
        end.max(kept.unwrap_or(end)).min(last)
    }
}

/// The last second up to which a seat may be lent: the earlier of the certificate's end and that
/// of a license which stops then.
pub fn last_second(delegation: &Delegation) -> i64 {
    let claims = delegation.license().claims();
    let license = claims.expires_at.filter(|_| stops(delegation));
    let license = license.map(|at| at.secs().saturating_add(i64::from(claims.grace_secs)));
    let certificate = delegation.signs_until().secs();
    license.map_or(certificate, |end| end.min(certificate))
}

fn clock_refused() -> Error {
    Error::new(
        "clock_refused",
        "this machine's clock was behind what it had shown for too long; set it right",
    )
}

/// Whether the license's end is an end for every version of the product.
fn stops(delegation: &Delegation) -> bool {
    delegation.license().claims().on_expiry == OnExpiry::Restrict
}

/// In the last two seconds nothing is lent either: a device would ask again at once.
fn at_the_end(delegation: &Delegation, now: Timestamp) -> Option<Error> {
    let soon = || {
        let detail = "the license or the host's certificate ends now; get a new file from the shop";
        Error::new("certificate_ended", detail)
    };
    let ends = last_second(delegation).saturating_sub(now.secs()) < 2;
    delegation.refusal(now).or_else(|| ends.then(soon))
}

/// Why nothing may be lent now, if so.
///
/// Versions, devices and revocation lists are for the product to judge: the host knows nothing of
/// them.
pub fn refusal(delegation: &Delegation, now: Timestamp, clock: ClockState) -> Option<Error> {
    let tolerated = delegation.license().claims().suspect_secs;
    let tolerated_ms = i64::from(tolerated.unwrap_or(SUSPECT_SECS)) * 1000;
    if matches!(clock, ClockState::Suspect { ran_ms } if ran_ms > tolerated_ms) {
        // A license without dates doesn't mind; the certificate has one.
        return Some(clock_refused());
    }
    let facts = Facts {
        now,
        clock,
        ..Facts::default()
    };
    let verdict = judge(delegation.license(), &facts);
    let (code, detail) = match verdict.status() {
        _ if verdict.is_allowed() => return at_the_end(delegation, now),
        Status::Expired if stops(delegation) => (
            "license_expired",
            "the license has ended; renew it and give the host its new file",
        ),
        Status::NotYetValid => (
            "license_not_yet_valid",
            "the license begins later; look at this machine's clock",
        ),
        Status::Expired
        | Status::WrongVersion
        | Status::WrongDevice
        | Status::DeviceNotActivated
        | Status::LeaseOver
        | Status::RevocationsStale => return at_the_end(delegation, now),
        other => (
            other.code(),
            "the license doesn't hold; get the host's file from the shop again",
        ),
    };
    Some(Error::new(code, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_ends_by_lease_wish_and_bounds() {
        let terms = Terms {
            lease_secs: 900,
            borrow_secs: 86_400,
            seats: None,
        };
        let far = 1_000_000;
        assert_eq!(terms.end(1000, None, None, far), 1900);
        assert_eq!(terms.end(1000, Some(3600), None, far), 4600);
        assert_eq!(terms.end(1000, Some(u32::MAX), None, far), 87_400);
        assert_eq!(
            terms.end(1000, Some(1), None, far),
            1900,
            "a lease at least"
        );
        assert_eq!(terms.end(1000, None, Some(5000), far), 5000, "never sooner");
        assert_eq!(terms.end(1000, Some(3600), Some(4000), far), 4600);
        assert_eq!(terms.end(1000, Some(3600), Some(4000), 1200), 1200);
    }
}
