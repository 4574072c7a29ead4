//! What a rule of the platform's share is. Pure.

use crate::caller::Denied;
use crate::domains::ledger::{FeePolicy, SplitError, Traffic};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{AccountId, FeeRuleId};

/// The least and the most that the platform may take, in basis points.
pub const BOUNDS: (u32, u32) = (1_000, 2_000);
/// Most characters of a reason.
pub const MAX_REASON: usize = 500;

/// What a rule is for, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A line that was sold: what was agreed then. Nobody sets it; the sale does.
    Line,
    /// One product.
    Product,
    /// All of a developer's products.
    Developer,
    /// All products of a category and of those below it.
    Category,
    /// Every sale.
    Platform,
}

impl Scope {
    /// Every scope, in their order of precedence.
    pub const ALL: [Self; 5] = [
        Self::Line,
        Self::Product,
        Self::Developer,
        Self::Category,
        Self::Platform,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Product => "product",
            Self::Developer => "developer",
            Self::Category => "category",
            Self::Platform => "platform",
        }
    }

    /// Reads what [`Scope::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.code() == code)
    }

    /// Whether the owner can set a rule for it.
    pub const fn is_set(self) -> bool {
        !matches!(self, Self::Line)
    }
}

/// One rule. It holds from its date until a newer one of the same subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which.
    pub id: FeeRuleId,
    /// What it is for.
    pub scope: Scope,
    /// A product's or an account's id, a category's path; empty for the platform.
    pub subject: String,
    /// From when on.
    pub from: Timestamp,
    /// The shares; `None` for "no rule of its own any more".
    pub policy: Option<FeePolicy>,
    /// Why, in the owner's words.
    pub reason: String,
    /// Who set it.
    pub set_by: Option<AccountId>,
    /// When.
    pub set_at: Timestamp,
}

/// The share of one sale, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Who found the buyer.
    pub traffic: Traffic,
    /// The platform's share of the net price.
    pub platform_bps: u32,
    /// Whose rule it was.
    pub scope: Scope,
    /// Of what.
    pub subject: String,
    /// The rule; `None` for the settings.
    pub rule: Option<FeeRuleId>,
    /// In a sentence, stored with the sale.
    pub why: String,
}

impl Agreed {
    /// By a rule, or by the settings.
    pub fn by(rule: Option<&Rule>, settings: FeePolicy, traffic: Traffic) -> Self {
        let policy = rule.and_then(|rule| rule.policy).unwrap_or(settings);
        let platform_bps = policy.share(traffic);
        Self {
            traffic,
            platform_bps,
            scope: rule.map_or(Scope::Platform, |rule| rule.scope),
            subject: rule.map(|rule| rule.subject.clone()).unwrap_or_default(),
            rule: rule.map(|rule| rule.id),
            why: explain(platform_bps, rule, traffic),
        }
    }
}

fn explain(bps: u32, rule: Option<&Rule>, traffic: Traffic) -> String {
    let found = match traffic {
        Traffic::Seller => "the seller brought the buyer",
        Traffic::Marketplace => "the marketplace found the buyer",
        Traffic::Unknown => "nobody can say who found the buyer",
    };
    let whose = match rule {
        None => "the platform's settings".to_owned(),
        Some(rule) => {
            let what = match rule.scope {
                Scope::Line => "the line's own rule",
                Scope::Product => "the product's own rule",
                Scope::Developer => "the developer's own rule",
                Scope::Category => "the rule of its category",
                Scope::Platform => "the platform's rule",
            };
            format!("{what} ({})", rule.id)
        }
    };
    let (whole, part) = (bps / 100, bps % 100);
    format!("{whole}.{part:02} % of the net price: {whose}; {found}")
}

/// Why a rule is refused.
#[derive(Debug, thiserror::Error)]
pub enum FeeError {
    /// There is no such product, developer or category.
    #[error("there is no such product, developer or category")]
    Subject,
    /// Below ten or above twenty percent.
    #[error("the platform's share is between 10 and 20 percent (1000 to 2000 basis points)")]
    OutOfRange(&'static str),
    /// It would have begun already.
    #[error("a rule begins now or later: earlier sales keep what they were agreed at")]
    Past,
    /// No reason, or a very long one.
    #[error("a reason of 1 to {MAX_REASON} characters is needed")]
    Reason,
    /// A dispute's fee below nothing or beyond sense.
    #[error("a dispute's fee is between nothing and 1,000,000,000 minor units")]
    DisputeFee,
    /// Amounts too large.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether all shares are within [`BOUNDS`].
pub fn check(policy: FeePolicy) -> Result<FeePolicy, FeeError> {
    let shares = [
        ("seller_bps", policy.seller_bps),
        ("marketplace_bps", policy.marketplace_bps),
        ("default_bps", policy.default_bps),
    ];
    let outside = |(_, bps): &&(&str, u32)| !(BOUNDS.0..=BOUNDS.1).contains(bps);
    match shares.iter().find(outside) {
        Some((field, _)) => Err(FeeError::OutOfRange(field)),
        None => Ok(policy),
    }
}

/// A reason as it is kept.
pub fn check_reason(text: &str) -> Result<String, FeeError> {
    let text = text.trim();
    match (1..=MAX_REASON).contains(&text.chars().count()) {
        true => Ok(text.to_owned()),
        false => Err(FeeError::Reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(seller_bps: u32, marketplace_bps: u32, default_bps: u32) -> FeePolicy {
        FeePolicy {
            seller_bps,
            marketplace_bps,
            default_bps,
        }
    }

    #[test]
    fn shares_stay_within_ten_and_twenty_percent() {
        assert!(check(FeePolicy::default()).is_ok());
        assert!(check(policy(1_000, 2_000, 1_000)).is_ok());
        for (wrong, field) in [
            (policy(999, 2_000, 1_500), "seller_bps"),
            (policy(1_000, 2_001, 1_500), "marketplace_bps"),
            (policy(1_000, 2_000, 0), "default_bps"),
        ] {
            assert!(matches!(check(wrong), Err(FeeError::OutOfRange(at)) if at == field));
        }
    }

    #[test]
    fn the_sentence_says_share_rule_and_traffic() {
        let rule = Rule {
            id: FeeRuleId::from_bytes([1; 16]),
            scope: Scope::Product,
            subject: "prd_x".to_owned(),
            from: Timestamp::from_secs(0),
            policy: Some(policy(1_205, 1_300, 1_400)),
            reason: "agreed".to_owned(),
            set_by: None,
            set_at: Timestamp::from_secs(0),
        };
        let by_rule = Agreed::by(Some(&rule), FeePolicy::default(), Traffic::Seller);
        assert_eq!(
            (by_rule.platform_bps, by_rule.scope),
            (1_205, Scope::Product)
        );
        let id = rule.id;
        let why = format!(
            "12.05 % of the net price: the product's own rule ({id}); the seller brought the buyer"
        );
        assert_eq!(by_rule.why, why);
        let settings = Agreed::by(None, FeePolicy::default(), Traffic::Marketplace);
        assert_eq!((settings.platform_bps, settings.rule), (2_000, None));
        // A rule that ended leaves the next one's shares, never its own.
        let ended = Rule {
            policy: None,
            ..rule
        };
        let fallen = Agreed::by(Some(&ended), FeePolicy::default(), Traffic::Unknown);
        assert_eq!(fallen.platform_bps, 1_500);
    }
}
