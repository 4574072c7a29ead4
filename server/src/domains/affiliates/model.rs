//! A programme, who takes part in it, and who is credited with a sale. Pure.

use crate::caller::Denied;
use crate::domains::ledger::LedgerError;
use crate::store::StoreError;
use mintreu::id::{
    AccountId, AffiliateClickId, AffiliationId, CouponId, OrderId, OrderLineId, ProductId,
};
use mintreu::{Money, Timestamp};
use serde::{Deserialize, Serialize};

/// The share is between 5 and 10 percent of the net price, in basis points.
pub const RATES: std::ops::RangeInclusive<i64> = 500..=1_000;
/// For how many days a click may earn, at most.
pub const MAX_WINDOW_DAYS: i64 = 90;
/// For how many months renewals earn, at most, unless for as long as they go on.
pub const MAX_RENEWAL_MONTHS: i64 = 120;
/// Most clicks that a visitor's cookie names, the newest first.
pub const MAX_CLICKS: usize = 5;
/// Length of a code.
pub const CODE: usize = 10;

/// What a seller offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Whether people can join and links earn.
    pub open: bool,
    /// Of the net price, in basis points: 500 to 1000.
    pub rate_bps: i64,
    /// For how many days after a click a sale is the affiliate's: 1 to 90.
    pub window_days: i64,
    /// For how many months of a subscription its payments earn: null for as long as it lasts, 0
    /// for the first payment alone, at most 120.
    pub renewal_months: Option<i64>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            open: false,
            rate_bps: 800,
            window_days: 30,
            renewal_months: None,
        }
    }
}

impl Terms {
    /// Which field is out of its range, if one is.
    pub fn wrong(&self) -> Option<&'static str> {
        let months = self.renewal_months.unwrap_or(0);
        let checks = [
            ("rate_bps", RATES.contains(&self.rate_bps)),
            (
                "window_days",
                (1..=MAX_WINDOW_DAYS).contains(&self.window_days),
            ),
            ("renewal_months", (0..=MAX_RENEWAL_MONTHS).contains(&months)),
        ];
        checks
            .into_iter()
            .find(|check| !check.1)
            .map(|check| check.0)
    }
}

/// A seller's programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Programme {
    /// Whose.
    pub seller: AccountId,
    /// What is offered.
    pub terms: Terms,
}

/// Whether somebody takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Links earn.
    Active,
    /// They left; what was earned stays theirs.
    Left,
    /// The seller ended it; what was earned stays theirs.
    Suspended,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Active, Self::Left, Self::Suspended];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Left => "left",
            Self::Suspended => "suspended",
        }
    }

    /// Reads what [`Standing::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// A person's part in one seller's programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affiliation {
    /// Which.
    pub id: AffiliationId,
    /// Whose programme.
    pub seller: AccountId,
    /// Who brings buyers.
    pub affiliate: AccountId,
    /// What their links carry: `?via=<code>`.
    pub code: String,
    /// Whether links earn.
    pub standing: Standing,
    /// A coupon that counts as theirs when no click does.
    pub coupon: Option<CouponId>,
    /// How many visitors a day came by their links, added up.
    pub clicks: i64,
    /// Since when.
    pub joined_at: Timestamp,
}

/// What says who brought a buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A click on a link.
    Click,
    /// A code that came with the request itself.
    Code,
    /// A coupon that is tied to an affiliate.
    Coupon,
    /// The sale that began the subscription.
    Renewal,
}

impl Via {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Click, Self::Code, Self::Coupon, Self::Renewal];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Code => "code",
            Self::Coupon => "coupon",
            Self::Renewal => "renewal",
        }
    }

    /// Reads what [`Via::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// Why nobody is credited although somebody brought the buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The affiliate buys, by account or by address.
    SelfReferral,
    /// The click is older than the programme's window.
    Expired,
    /// The programme is closed.
    Closed,
    /// The affiliate left.
    Left,
    /// The seller ended the affiliate's part.
    Suspended,
    /// The product isn't part of the programme.
    Excluded,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 6] = [
        Self::SelfReferral,
        Self::Expired,
        Self::Closed,
        Self::Left,
        Self::Suspended,
        Self::Excluded,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SelfReferral => "self_referral",
            Self::Expired => "expired",
            Self::Closed => "closed",
            Self::Left => "left",
            Self::Suspended => "suspended",
            Self::Excluded => "excluded",
        }
    }

    /// Reads what [`Refusal::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// What a request brings along of who brought its buyer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Referred {
    /// Clicks, the newest first, at most [`MAX_CLICKS`].
    pub clicks: Vec<AffiliateClickId>,
    /// An affiliate's code, for who keeps no cookies.
    pub code: Option<String>,
}

/// Somebody who may have brought the buyer of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub affiliation: Affiliation,
    /// How that is known.
    pub via: Via,
    /// The click, and until when it may earn.
    pub click: Option<(AffiliateClickId, Timestamp)>,
    /// The affiliate's address as a keyed hash, when they have one.
    pub address: Option<[u8; 32]>,
}

/// Whose line it is, and what its seller offers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The seller.
    pub seller: AccountId,
    /// The programme.
    pub terms: Terms,
    /// The product's own rate, if it has one; 0 takes it out.
    pub own_rate: Option<i64>,
}

/// Who is credited with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commission {
    /// By which part in which programme.
    pub affiliation: AffiliationId,
    /// Who earns.
    pub affiliate: AccountId,
    /// Of the net price.
    pub bps: u32,
    /// How that is known.
    pub via: Via,
    /// By which click.
    pub click: Option<AffiliateClickId>,
    /// For how long renewals earn, as it was agreed then.
    pub renewal_months: Option<i64>,
    /// In a sentence, for the split.
    pub why: String,
}

/// What comes of a line's candidates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Nobody brought its buyer.
    #[default]
    Nobody,
    /// Somebody earns.
    Earns(Commission),
    /// Somebody brought the buyer and doesn't earn.
    Refused(Box<Candidate>, Refusal),
}

impl Verdict {
    /// The affiliate's share, nothing for nobody.
    pub fn bps(&self) -> u32 {
        self.commission().map_or(0, |commission| commission.bps)
    }

    /// Who earns.
    pub fn commission(&self) -> Option<&Commission> {
        match self {
            Self::Earns(commission) => Some(commission),
            Self::Nobody | Self::Refused(..) => None,
        }
    }
}

/// Who is behind a purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// The account, when somebody is signed in.
    pub account: Option<AccountId>,
    /// The address as a keyed hash.
    pub address: Option<[u8; 32]>,
}

/// The first candidate that may earn does; else the first refusal is kept. Candidates come in the
/// order of preference: clicks from the newest on, then a code, then a coupon.
pub fn judge(
    candidates: &[Candidate],
    offered: &Offered,
    (buyer, now): (&Behind, Timestamp),
) -> Verdict {
    let own = candidates
        .iter()
        .filter(|one| one.affiliation.seller == offered.seller);
    let mut refused = Verdict::Nobody;
    for candidate in own {
        let rate = offered.own_rate.unwrap_or(offered.terms.rate_bps);
        match refusal(candidate, offered, (buyer, now)) {
            Some(why) if refused == Verdict::Nobody => {
                refused = Verdict::Refused(Box::new(candidate.clone()), why);
            }
            Some(_) => {}
            None => return Verdict::Earns(commission(candidate, offered, rate)),
        }
    }
    refused
}

fn refusal(
    candidate: &Candidate,
    offered: &Offered,
    (buyer, now): (&Behind, Timestamp),
) -> Option<Refusal> {
    let same_account = buyer.account == Some(candidate.affiliation.affiliate);
    let same_address = candidate.address.is_some() && candidate.address == buyer.address;
    match candidate.affiliation.standing {
        Standing::Left => return Some(Refusal::Left),
        Standing::Suspended => return Some(Refusal::Suspended),
        Standing::Active => {}
    }
    if !offered.terms.open {
        Some(Refusal::Closed)
    } else if same_account || same_address {
        Some(Refusal::SelfReferral)
    } else if candidate.click.is_some_and(|(_, until)| until <= now) {
        Some(Refusal::Expired)
    } else if offered.own_rate == Some(0) {
        Some(Refusal::Excluded)
    } else {
        None
    }
}

fn commission(candidate: &Candidate, offered: &Offered, rate: i64) -> Commission {
    let whose = match offered.own_rate {
        Some(_) => "the product's own rate",
        None => "the programme's rate",
    };
    let how = match candidate.via {
        Via::Click => "a click on the affiliate's link",
        Via::Code => "the affiliate's code",
        Via::Coupon => "a coupon of the affiliate's",
        Via::Renewal => "the sale that began the subscription",
    };
    let id = candidate.affiliation.id;
    Commission {
        affiliation: id,
        affiliate: candidate.affiliation.affiliate,
        bps: u32::try_from(rate).unwrap_or(0),
        via: candidate.via,
        click: candidate.click.map(|(click, _)| click),
        renewal_months: offered.terms.renewal_months,
        why: format!(
            "{}.{:02} % of the net price, after the payment fee: {whose}, by {how} ({id})",
            rate / 100,
            rate % 100
        ),
    }
}

/// Where a referral stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferralState {
    /// The order isn't paid, and may never be.
    Placed,
    /// Earned and held.
    Pending,
    /// Held while a bank asks or has taken the money.
    InReview,
    /// Released: part of what can be paid.
    Approved,
    /// Part of a payout.
    Paid,
    /// All of it went back.
    Reversed,
    /// Nothing was earned.
    Refused,
}

impl ReferralState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Placed,
        Self::Pending,
        Self::InReview,
        Self::Approved,
        Self::Paid,
        Self::Reversed,
        Self::Refused,
    ];

    /// As shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Pending => "pending",
            Self::InReview => "in_review",
            Self::Approved => "approved",
            Self::Paid => "paid",
            Self::Reversed => "reversed",
            Self::Refused => "refused",
        }
    }
}

/// One line that somebody brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// The line.
    pub line: OrderLineId,
    /// Its order.
    pub order: OrderId,
    /// By which part in which programme.
    pub affiliation: AffiliationId,
    /// Who sold.
    pub seller: AccountId,
    /// Who brought the buyer.
    pub affiliate: AccountId,
    /// What was sold.
    pub product: ProductId,
    /// How that is known.
    pub via: Via,
    /// By which click.
    pub click: Option<AffiliateClickId>,
    /// Of the net price.
    pub bps: i64,
    /// For how long renewals earn.
    pub renewal_months: Option<i64>,
    /// What the line's split says.
    pub commission: Money,
    /// What went back of it.
    pub reversed: Money,
    /// Why nothing was earned.
    pub refusal: Option<Refusal>,
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// When it was paid.
    pub credited_at: Option<Timestamp>,
}

impl Referral {
    /// The hold of its commission.
    pub fn source(&self) -> String {
        source(self.line)
    }
}

/// The name of the hold of a line's commission.
pub fn source(line: OrderLineId) -> String {
    format!("{line}{SOURCE}")
}

const SOURCE: &str = ":affiliate";

/// The line whose commission a hold of this name holds; `None` for another's hold.
pub(super) fn line_of(source: &str) -> Option<OrderLineId> {
    OrderLineId::parse(source.strip_suffix(SOURCE)?).ok()
}

/// Why something is refused.
#[derive(Debug, thiserror::Error)]
pub enum AffiliateError {
    /// None such, or another's.
    #[error("there is no such programme or affiliate")]
    NotFound,
    /// A field that is out of its range.
    #[error("{0} is out of its range")]
    Invalid(&'static str),
    /// Joining needs a yes.
    #[error("agree to the programme's terms to join it")]
    ConsentMissing,
    /// One's own programme.
    #[error("nobody can be an affiliate of their own shop")]
    OwnProgramme,
    /// The seller ended it before.
    #[error("the seller has ended your part in this programme")]
    Suspended,
    /// The coupon is another affiliate's.
    #[error("this coupon is tied to another affiliate")]
    CouponTaken,
    /// An amount was too large.
    #[error(transparent)]
    Money(#[from] mintreu::Error),
    /// The books.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELLER: AccountId = AccountId::from_bytes([1; 16]);
    const NOW: Timestamp = Timestamp::from_ms(1_000);

    fn candidate(who: u8, via: Via, until: i64) -> Candidate {
        let click = AffiliateClickId::from_bytes([who; 16]);
        Candidate {
            affiliation: Affiliation {
                id: AffiliationId::from_bytes([who; 16]),
                seller: SELLER,
                affiliate: AccountId::from_bytes([who; 16]),
                code: "code".to_owned(),
                standing: Standing::Active,
                coupon: None,
                clicks: 0,
                joined_at: NOW,
            },
            via,
            click: (via == Via::Click).then_some((click, Timestamp::from_ms(until))),
            address: Some([who; 32]),
        }
    }

    fn offered() -> Offered {
        Offered {
            seller: SELLER,
            terms: Terms {
                open: true,
                ..Terms::default()
            },
            own_rate: None,
        }
    }

    fn who(verdict: &Verdict) -> Result<u8, Option<Refusal>> {
        match verdict {
            Verdict::Earns(commission) => Ok(commission.affiliate.as_bytes()[0]),
            Verdict::Refused(_, why) => Err(Some(*why)),
            Verdict::Nobody => Err(None),
        }
    }

    const STRANGER: Behind = Behind {
        account: None,
        address: None,
    };

    #[test]
    fn the_newest_that_may_earn_does() {
        let all = [
            candidate(2, Via::Click, 2_000),
            candidate(3, Via::Click, 2_000),
            candidate(4, Via::Coupon, 0),
        ];
        let judged = |buyer: &Behind, all: &[Candidate]| judge(all, &offered(), (buyer, NOW));
        assert_eq!(who(&judged(&STRANGER, &all)), Ok(2));
        assert_eq!(judged(&STRANGER, &all).bps(), 800);
        // Whose own click is the newest leaves the sale to the one before.
        let oneself = Behind {
            account: Some(AccountId::from_bytes([2; 16])),
            address: None,
        };
        assert_eq!(who(&judged(&oneself, &all)), Ok(3));
        let by_mail = Behind {
            account: None,
            address: Some([2; 32]),
        };
        let alone = &all[..1];
        assert_eq!(
            who(&judged(&by_mail, alone)),
            Err(Some(Refusal::SelfReferral))
        );
        assert_eq!(who(&judged(&STRANGER, &[])), Err(None));
    }

    #[test]
    fn each_refusal_has_its_cause() {
        let one = || candidate(2, Via::Click, 2_000);
        let judged = |one: Candidate, offered: Offered| judge(&[one], &offered, (&STRANGER, NOW));
        let late = candidate(2, Via::Click, 1_000);
        assert_eq!(who(&judged(late, offered())), Err(Some(Refusal::Expired)));
        let closed = Offered {
            terms: Terms::default(),
            ..offered()
        };
        assert_eq!(who(&judged(one(), closed)), Err(Some(Refusal::Closed)));
        for (standing, why) in [
            (Standing::Left, Refusal::Left),
            (Standing::Suspended, Refusal::Suspended),
        ] {
            let mut gone = one();
            gone.affiliation.standing = standing;
            assert_eq!(who(&judged(gone, offered())), Err(Some(why)));
        }
        let out = Offered {
            own_rate: Some(0),
            ..offered()
        };
        assert_eq!(who(&judged(one(), out)), Err(Some(Refusal::Excluded)));
        let more = Offered {
            own_rate: Some(1_000),
            ..offered()
        };
        assert_eq!(judged(one(), more).bps(), 1_000);
        let mut elsewhere = one();
        elsewhere.affiliation.seller = AccountId::from_bytes([9; 16]);
        assert_eq!(who(&judged(elsewhere, offered())), Err(None));
    }

    #[test]
    fn terms_stay_within_their_bounds() {
        assert_eq!(Terms::default().wrong(), None);
        for (field, rate_bps, window_days, renewal_months) in [
            ("rate_bps", 499, 30, None),
            ("rate_bps", 1_001, 30, None),
            ("window_days", 800, 0, None),
            ("window_days", 800, 91, None),
            ("renewal_months", 800, 30, Some(-1)),
            ("renewal_months", 800, 30, Some(121)),
        ] {
            let terms = Terms {
                open: true,
                rate_bps,
                window_days,
                renewal_months,
            };
            assert_eq!(terms.wrong(), Some(field));
        }
    }
}
