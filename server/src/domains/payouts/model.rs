//! A payout's states, what may be asked for, and when a week's run is. Pure.

use crate::caller::Denied;
use crate::domains::catalog;
use crate::domains::invoicing::InvoiceError;
use crate::domains::ledger::LedgerError;
pub use crate::gateways::PayoutEventKind as EventKind;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::{AccountId, PayoutId, PayoutRunId, WriteOffId};
use mintreu::{Currency, Money, Timestamp};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const WEEK_DAYS: i64 = 7;
/// 1970-01-01 was a Thursday, so Fridays are the days 1, 8, 15 …
const FRIDAY: i64 = 1;

/// The first instant (UTC) of the newest Friday: the cut-off of the weekly run.
pub fn last_friday(now: Timestamp) -> Timestamp {
    let day = now.ms().div_euclid(DAY_MS);
    let friday = day - (day - FRIDAY).rem_euclid(WEEK_DAYS);
    Timestamp::from_ms(friday.saturating_mul(DAY_MS))
}

/// The first instant of the Friday after it.
pub fn next_friday(now: Timestamp) -> Timestamp {
    last_friday(now).plus_ms(WEEK_DAYS * DAY_MS)
}

/// Where a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Taken from the balance; the provider was not asked yet.
    Created,
    /// The provider was asked, perhaps; it has not said how it ended.
    Sending,
    /// It arrived.
    Paid,
    /// It never arrived; the money is back in the balance.
    Failed,
    /// It arrived and the bank sent it back; the money is back in the balance.
    Returned,
    /// It arrived and the provider took it back; the money is back in the balance.
    Reversed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Created,
        Self::Sending,
        Self::Paid,
        Self::Failed,
        Self::Returned,
        Self::Reversed,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Sending => "sending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Returned => "returned",
            Self::Reversed => "reversed",
        }
    }

    /// Reads what [`State::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether the provider has not said how it ended.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Created | Self::Sending)
    }
}

/// What an event does to a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It moves there, and the money with it.
    Move(State),
    /// Known already, or overtaken: nothing changes.
    Stay,
    /// It contradicts what is known: nothing changes, and somebody must look.
    Refuse,
}

/// The table. Events may overtake each other: what says that money came back is believed from every
/// state in which the seller doesn't have it back yet.
pub const fn next_state(state: State, event: EventKind) -> Step {
    use EventKind as E;
    use State as S;
    match (state, event) {
        (S::Created | S::Sending, E::Paid) => Step::Move(S::Paid),
        (S::Created | S::Sending, E::Failed) => Step::Move(S::Failed),
        // A bank that says no after it said yes: some providers call that failed, too.
        (S::Created | S::Sending | S::Paid, E::Returned) | (S::Paid, E::Failed) => {
            Step::Move(S::Returned)
        }
        (S::Created | S::Sending | S::Paid, E::Reversed) => Step::Move(S::Reversed),
        // The seller has the money twice now.
        (S::Failed, E::Paid) => Step::Refuse,
        _ => Step::Stay,
    }
}

/// One payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Which.
    pub id: PayoutId,
    /// The run that made it.
    pub run: PayoutRunId,
    /// Whose.
    pub seller: AccountId,
    /// How much, above zero.
    pub amount: Money,
    /// Who sends it.
    pub provider: String,
    /// Where to, in the provider's words.
    pub destination: String,
    /// Where it stands.
    pub state: State,
    /// The number of its statement in the seller's series, from 1.
    pub statement_number: i64,
    /// The provider's name of it, once it has one.
    pub provider_reference: Option<String>,
    /// Why it did not arrive.
    pub failure_code: Option<String>,
    /// When it was taken from the balance.
    pub created_at: Timestamp,
    /// When it arrived.
    pub paid_at: Option<Timestamp>,
    /// When it came back.
    pub ended_at: Option<Timestamp>,
}

impl Payout {
    /// What a fact says of it.
    pub fn told(&self) -> serde_json::Value {
        serde_json::json!({
            "seller": self.seller.to_string(),
            "amount_minor": self.amount.minor(),
            "currency": self.amount.currency().code(),
            "failure_code": self.failure_code,
        })
    }
}

/// `SB-000012`: the number of a self-billed statement, unique by seller.
pub fn statement_number(number: i64) -> String {
    format!("SB-{number:06}")
}

/// What a seller wants for one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Of which currency.
    pub currency: Currency,
    /// Who sends the money.
    pub provider: String,
    /// The provider's own name of the seller's account: never a bank account's number.
    pub destination: String,
    /// Less than this isn't paid out.
    pub threshold: Money,
    /// The seller wants none for now.
    pub paused: bool,
}

/// What the platform says of a seller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SellerState {
    /// Since when the platform knows who they are.
    pub verified_at: Option<Timestamp>,
    /// Why the platform holds their payouts.
    pub paused: Option<String>,
}

/// Why a run made no payout for a seller and currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// The seller owes.
    NegativeBalance,
    /// The platform suspended them.
    Suspended,
    /// They closed their account less than [`CLOSING_DAYS`] ago.
    Closing,
    /// An earlier payout is under way.
    AlreadyInProcess,
    /// The platform holds their payouts.
    PausedByPlatform,
    /// The platform doesn't know who they are yet.
    Unverified,
    /// They named no account.
    NoDestination,
    /// They wanted none.
    PausedByYou,
    /// All of it became releasable after the cut-off.
    AfterCutOff,
    /// Less than their threshold.
    BelowMinimum,
}

impl SkipReason {
    /// Every reason, in the order in which they are looked for.
    pub const ALL: [Self; 10] = [
        Self::NegativeBalance,
        Self::Suspended,
        Self::Closing,
        Self::AlreadyInProcess,
        Self::PausedByPlatform,
        Self::Unverified,
        Self::NoDestination,
        Self::PausedByYou,
        Self::AfterCutOff,
        Self::BelowMinimum,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NegativeBalance => "negative_balance",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
            Self::AlreadyInProcess => "already_in_process",
            Self::PausedByPlatform => "paused_by_platform",
            Self::Unverified => "unverified",
            Self::NoDestination => "no_destination",
            Self::PausedByYou => "paused_by_you",
            Self::AfterCutOff => "after_cut_off",
            Self::BelowMinimum => "below_minimum",
        }
    }

    /// Reads what [`SkipReason::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// A note that a run passed over a seller and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Which run.
    pub run: PayoutRunId,
    /// Whose balance.
    pub seller: AccountId,
    /// The balance then.
    pub balance: Money,
    /// Why.
    pub reason: SkipReason,
    /// When.
    pub noted_at: Timestamp,
}

/// What a run sees of a seller and currency.
#[derive(Debug, Clone)]
pub struct Standing {
    /// All that is releasable.
    pub balance: Money,
    /// Of it, what was so before the cut-off.
    pub due: Money,
    /// A payout is under way.
    pub under_way: bool,
    /// What the platform says.
    pub seller: SellerState,
    /// What the seller wants.
    pub setting: Option<Setting>,
    /// Whether they sell.
    pub sells: Sells,
}

/// Whether a seller sells, as far as their money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sells {
    /// They do; so it is for whoever has no shop.
    #[default]
    Yes,
    /// The platform suspended them: their money waits until they sell again.
    Suspended,
    /// Their account is closed, and it is too early for the last of their money.
    Closing,
    /// Their account is closed for long enough: all that is left is sent, however little.
    Closed,
}

/// Days between the closing of an account and the last payout: buyers' banks may ask until then.
pub const CLOSING_DAYS: i64 = 120;

impl Sells {
    /// As things stand at the cut-off.
    pub fn at(cut_off: Timestamp, found: Option<(catalog::Standing, Option<Timestamp>)>) -> Self {
        match found {
            None | Some((catalog::Standing::Active, _)) => Self::Yes,
            Some((catalog::Standing::Suspended, _)) => Self::Suspended,
            Some((catalog::Standing::Closed, since)) => {
                let due = since.map(|since| since.plus_ms(CLOSING_DAYS * DAY_MS));
                match due.is_some_and(|due| due <= cut_off) {
                    true => Self::Closed,
                    false => Self::Closing,
                }
            }
        }
    }
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It pays.
    Pay(Money, Setting),
    /// It notes why not.
    Skip(SkipReason),
    /// There is nothing to say.
    Nothing,
}

/// The rule: the first reason that holds, in the order of [`SkipReason::ALL`].
pub fn verdict(standing: &Standing) -> Verdict {
    use SkipReason as R;
    let (balance, due) = (standing.balance.minor(), standing.due.minor());
    if balance == 0 {
        return Verdict::Nothing;
    }
    let setting = standing.setting.as_ref();
    let threshold = match standing.sells {
        Sells::Closed => 0,
        _ => setting.map_or(0, |setting| setting.threshold.minor()),
    };
    let checks = [
        (balance < 0, R::NegativeBalance),
        (standing.sells == Sells::Suspended, R::Suspended),
        (standing.sells == Sells::Closing, R::Closing),
        (standing.under_way, R::AlreadyInProcess),
        (standing.seller.paused.is_some(), R::PausedByPlatform),
        (standing.seller.verified_at.is_none(), R::Unverified),
        (setting.is_none(), R::NoDestination),
        (
            setting.is_some_and(|setting| setting.paused),
            R::PausedByYou,
        ),
        (due <= 0, R::AfterCutOff),
        (due < threshold, R::BelowMinimum),
    ];
    let found = checks.into_iter().find(|(holds, _)| *holds);
    match (found, setting) {
        (Some((_, reason)), _) => Verdict::Skip(reason),
        (None, Some(setting)) => Verdict::Pay(standing.due, setting.clone()),
        (None, None) => Verdict::Skip(R::NoDestination),
    }
}

/// One look at every balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Which.
    pub id: PayoutRunId,
    /// The owner who started it; `None` for the weekly one.
    pub started_by: Option<AccountId>,
    /// What became releasable before this is paid.
    pub cut_off: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// When the last balance was looked at.
    pub finished_at: Option<Timestamp>,
}

/// A debt that the platform bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOff {
    /// Which.
    pub id: WriteOffId,
    /// Whose debt.
    pub seller: AccountId,
    /// How much, above zero.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

/// Why something about payouts was refused.
#[derive(Debug, thiserror::Error)]
pub enum PayoutError {
    /// No such payout, run or seller for this caller.
    #[error("there is no such payout")]
    NotFound,
    /// The account's name can't be used.
    #[error("an account is named by 1 to 64 letters, digits, - and _, as the provider names it")]
    Destination,
    /// Nobody here sends money.
    #[error("this shop sends no money")]
    NoProvider,
    /// The threshold is too low, or absurd.
    #[error("the threshold is at least {least}, and at most a million of these")]
    Threshold {
        /// The least.
        least: Money,
    },
    /// A reason is missing or too long.
    #[error("write a reason of 1 to 500 characters")]
    Reason,
    /// There is no debt to write off.
    #[error("this seller owes nothing in this currency")]
    NoDebt,
    /// The payout has ended.
    #[error("this payout has ended; there is nothing to send again")]
    Ended,
    /// It is on its way or arrived: there is nothing to pay again.
    #[error("the payout did not fail")]
    NotFailed,
    /// A job's payload that can't be read.
    #[error("a job carries {0}")]
    Payload(mintreu::Error),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The series of numbers.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PayoutError> for JobError {
    fn from(error: PayoutError) -> Self {
        match error {
            PayoutError::Payload(_) | PayoutError::Denied(_) | PayoutError::NotFound => {
                Self::fail(error)
            }
            other => Self::retry(other),
        }
    }
}

/// Reads the provider's name of an account.
pub fn parse_destination(text: &str) -> Result<String, PayoutError> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let good = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    good.then(|| text.to_owned())
        .ok_or(PayoutError::Destination)
}

/// Reads a reason for people to read later.
pub fn parse_reason(text: &str) -> Result<String, PayoutError> {
    let text = text.trim();
    let good = (1..=500).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    good.then(|| text.to_owned()).ok_or(PayoutError::Reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_end_on_fridays() {
        let at = |text: &str| {
            let instant: jiff::Timestamp = text.parse().expect("an instant");
            Timestamp::from_ms(instant.as_millisecond())
        };
        for (now, last, next) in [
            (
                "2027-01-15T08:00:00Z",
                "2027-01-15T00:00:00Z",
                "2027-01-22T00:00:00Z",
            ),
            (
                "2027-01-14T23:59:59Z",
                "2027-01-08T00:00:00Z",
                "2027-01-15T00:00:00Z",
            ),
            (
                "1969-12-31T12:00:00Z",
                "1969-12-26T00:00:00Z",
                "1970-01-02T00:00:00Z",
            ),
        ] {
            assert_eq!(last_friday(at(now)), at(last), "{now}");
            assert_eq!(next_friday(at(now)), at(next), "{now}");
        }
    }

    #[test]
    fn the_table_holds_cell_by_cell() {
        use State::{Created, Failed, Paid, Returned, Reversed, Sending};
        let (go, stay) = (Step::Move, Step::Stay);
        // Columns: paid, failed, returned, reversed, other.
        let table = [
            (
                Created,
                [go(Paid), go(Failed), go(Returned), go(Reversed), stay],
            ),
            (
                Sending,
                [go(Paid), go(Failed), go(Returned), go(Reversed), stay],
            ),
            (Paid, [stay, go(Returned), go(Returned), go(Reversed), stay]),
            (Failed, [Step::Refuse, stay, stay, stay, stay]),
            (Returned, [stay; 5]),
            (Reversed, [stay; 5]),
        ];
        for (state, row) in table {
            for (event, expected) in EventKind::ALL.into_iter().zip(row) {
                assert_eq!(next_state(state, event), expected, "{state:?} {event:?}");
            }
        }
    }

    fn standing(balance: i64, due: i64) -> Standing {
        let euros = |minor| Money::new(minor, Currency::EUR);
        Standing {
            balance: euros(balance),
            due: euros(due),
            under_way: false,
            seller: SellerState {
                verified_at: Some(Timestamp::from_ms(1)),
                paused: None,
            },
            setting: Some(Setting {
                currency: Currency::EUR,
                provider: "sandbox".to_owned(),
                destination: "acct_ok".to_owned(),
                threshold: euros(1_000),
                paused: false,
            }),
            sells: Sells::Yes,
        }
    }

    #[test]
    fn a_closed_account_is_paid_once_whatever_is_left() {
        let day = |day: i64| Timestamp::from_ms(day * DAY_MS);
        let closed = Some((catalog::Standing::Closed, Some(day(10))));
        for (cut_off, sells) in [
            (10, Sells::Closing),
            (9 + CLOSING_DAYS, Sells::Closing),
            (10 + CLOSING_DAYS, Sells::Closed),
        ] {
            assert_eq!(Sells::at(day(cut_off), closed), sells, "day {cut_off}");
        }
        assert_eq!(Sells::at(day(1), None), Sells::Yes);
        let mut little = standing(999, 999);
        let below = Verdict::Skip(SkipReason::BelowMinimum);
        assert_eq!(verdict(&little), below, "the control");
        little.sells = Sells::Closed;
        assert!(matches!(verdict(&little), Verdict::Pay(amount, _) if amount.minor() == 999));
        little.balance = Money::new(-1, Currency::EUR);
        let owed = Verdict::Skip(SkipReason::NegativeBalance);
        assert_eq!(verdict(&little), owed);
    }

    #[test]
    fn every_reason_is_found_and_the_first_one_counts() {
        let good = standing(5_000, 4_000);
        assert!(matches!(verdict(&good), Verdict::Pay(amount, _) if amount.minor() == 4_000));
        assert_eq!(verdict(&standing(0, 0)), Verdict::Nothing);
        let mut spoilt = good;
        let spoil: [fn(&mut Standing); 10] = [
            |s| s.due = Money::new(999, Currency::EUR),
            |s| s.due = Money::new(0, Currency::EUR),
            |s| {
                if let Some(setting) = &mut s.setting {
                    setting.paused = true;
                }
            },
            |s| s.setting = None,
            |s| s.seller.verified_at = None,
            |s| s.seller.paused = Some("looked at".to_owned()),
            |s| s.under_way = true,
            |s| s.sells = Sells::Closing,
            |s| s.sells = Sells::Suspended,
            |s| s.balance = Money::new(-1, Currency::EUR),
        ];
        for (spoil, reason) in spoil.into_iter().zip(SkipReason::ALL.into_iter().rev()) {
            spoil(&mut spoilt);
            assert_eq!(verdict(&spoilt), Verdict::Skip(reason));
        }
    }

    #[test]
    fn codes_read_back_and_accounts_are_plain() {
        for state in State::ALL {
            assert_eq!(State::parse(state.code()), Some(state));
        }
        for reason in SkipReason::ALL {
            assert_eq!(SkipReason::parse(reason.code()), Some(reason));
        }
        assert!(parse_destination(" acct_1 ").is_ok());
        for bad in ["", "DE89 3704", "a/b", &"a".repeat(65)] {
            assert!(parse_destination(bad).is_err(), "{bad}");
        }
        assert!(parse_reason(" ").is_err() && parse_reason("gone").is_ok());
    }
}
