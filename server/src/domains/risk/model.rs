//! A rule, a list's entry, and what comes of them for one purchase. Pure.

use crate::caller::Denied;
use crate::store::StoreError;
use mintreu::id::{AccountId, OrderId, RiskDecisionId, RiskEntryId, RiskRuleId};
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60 * 1000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// The longest window.
pub const MAX_WINDOW_MS: i64 = 30 * DAY_MS;
/// The longest block.
pub const MAX_BLOCK_MS: i64 = 365 * DAY_MS;
/// The highest threshold, in pieces or in minor units.
const MAX_THRESHOLD: i64 = 1_000_000_000_000;
/// Most rules of a shop.
pub const MAX_RULES: usize = 100;

/// An enum whose variants are stored and shown by a code.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$each])* #[serde(rename = $code)] $variant),+ }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As stored and shown.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// Reads what `code` wrote.
            pub fn parse(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
            }
        }
    };
}

coded! {
    /// What a rule counts.
    Counts {
        /// Purchases that were tried, this one included.
        Attempts = "attempts",
        /// Payments that were declined.
        Declines = "declines",
        /// Different mail addresses that tried, this one included.
        Addresses = "addresses",
        /// Purchases of what costs nothing, this one included; it acts on those alone.
        Free = "free",
        /// Money of purchases that were tried, this one included, in minor units of one currency.
        Spent = "spent",
        /// One, when the buyer's mail is the seller's own.
        Own = "own",
    }
}

coded! {
    /// By what a rule counts.
    By {
        /// Who buys: by account, or by mail.
        Buyer = "buyer",
        /// The network that the buyer asks from.
        Network = "network",
        /// What is bought.
        Product = "product",
        /// Who sells.
        Seller = "seller",
    }
}

coded! {
    /// What a rule does; the later the stronger.
    Action {
        /// The order's money is held until the owner lets it go.
        Review = "review",
        /// A guest must sign in; of an account the provider asks for a proof.
        Challenge = "challenge",
        /// Nothing is placed.
        Refuse = "refuse",
    }
}

coded! {
    /// Whether a rule acts.
    Mode {
        /// It acts.
        Live = "live",
        /// It decides and is written down.
        Shadow = "shadow",
        /// It isn't asked.
        Off = "off",
    }
}

coded! {
    /// What came of asking.
    Outcome {
        /// Nothing spoke against it.
        Allow = "allow",
        /// See [`Action::Review`].
        Review = "review",
        /// See [`Action::Challenge`].
        Challenge = "challenge",
        /// See [`Action::Refuse`].
        Refuse = "refuse",
    }
}

impl From<Action> for Outcome {
    fn from(action: Action) -> Self {
        match action {
            Action::Review => Self::Review,
            Action::Challenge => Self::Challenge,
            Action::Refuse => Self::Refuse,
        }
    }
}

coded! {
    /// When it was asked.
    Step {
        /// Before an order is placed.
        Checkout = "checkout",
        /// Before another try to pay.
        Payment = "payment",
    }
}

coded! {
    /// Which list an entry is of.
    Side {
        /// Is let through.
        Allow = "allow",
        /// Is refused.
        Block = "block",
    }
}

coded! {
    /// What an entry names.
    EntryKind {
        /// A buyer's account.
        Account = "account",
        /// All addresses of a mail domain.
        Domain = "domain",
        /// A mail address.
        Mail = "mail",
        /// A network address, of IPv6 the first half.
        Network = "network",
        /// A product.
        Product = "product",
        /// A seller's account.
        Seller = "seller",
    }
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What the owner calls it, 1 to 80 characters.
    pub name: String,
    /// What is counted.
    pub counts: Counts,
    /// By what.
    pub by: By,
    /// Over how long, in milliseconds: a minute to thirty days.
    pub window_ms: i64,
    /// From how many on it acts.
    pub threshold: i64,
    /// The currency of [`Counts::Spent`].
    pub currency: Option<Currency>,
    /// Of sellers: only those whose shop is younger, in days.
    pub newer_than_days: Option<i64>,
    /// What it does.
    pub action: Action,
    /// Whether it acts.
    pub mode: Mode,
    /// For how long whom it refuses is blocked, in milliseconds.
    pub block_ms: Option<i64>,
}

/// A rule of a shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The rule.
    pub id: RiskRuleId,
    /// What it says.
    pub terms: Terms,
    /// Its name in the house's own list, for one that every shop has.
    pub built_in: Option<&'static str>,
    /// When somebody last changed it; `None` for one that is as the house ships it.
    pub changed_at: Option<Timestamp>,
}

/// The terms, if a rule can say so; else which field can't be.
pub fn check(terms: &Terms) -> Result<Terms, RiskError> {
    let name = terms.name.trim();
    let spent = terms.counts == Counts::Spent;
    let by = match terms.counts {
        Counts::Addresses => terms.by == By::Network,
        Counts::Own => terms.by == By::Buyer,
        _ => true,
    };
    let own = terms.counts == Counts::Own;
    let block = |ms| terms.action == Action::Refuse && (MINUTE_MS..=MAX_BLOCK_MS).contains(&ms);
    let young = |days| terms.by == By::Seller && (1..=3650).contains(&days);
    let sound = [
        ("name", (1..=80).contains(&name.chars().count())),
        ("by", by),
        (
            "window_ms",
            (MINUTE_MS..=MAX_WINDOW_MS).contains(&terms.window_ms),
        ),
        (
            "threshold",
            (1..=MAX_THRESHOLD).contains(&terms.threshold) && (!own || terms.threshold == 1),
        ),
        ("currency", terms.currency.is_some() == spent),
        ("newer_than_days", terms.newer_than_days.is_none_or(young)),
        ("block_ms", terms.block_ms.is_none_or(block)),
    ];
    match sound.iter().find(|(_, sound)| !sound) {
        Some((field, _)) => Err(RiskError::Rule(field)),
        None => Ok(Terms {
            name: name.to_owned(),
            ..terms.clone()
        }),
    }
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry.
    pub id: RiskEntryId,
    /// Of which list.
    pub side: Side,
    /// What it names.
    pub kind: EntryKind,
    /// What the owner recognises it by.
    pub label: String,
    /// Why.
    pub reason: String,
    /// The rule that wrote it, if none of the house did.
    pub rule: Option<RiskRuleId>,
    /// Who wrote it.
    pub set_by: Option<AccountId>,
    /// When.
    pub set_at: Timestamp,
    /// From when on it doesn't count; `None` for never.
    pub ends_at: Option<Timestamp>,
    /// When somebody took it back.
    pub lifted_at: Option<Timestamp>,
}

impl Entry {
    /// `active`, `ended` or `lifted`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match (self.lifted_at, self.ends_at) {
            (Some(_), _) => "lifted",
            (None, Some(end)) if end <= now => "ended",
            _ => "active",
        }
    }
}

/// What one rule saw of a purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The rule's id.
    pub rule: String,
    /// What it was called.
    pub name: String,
    /// What it counted, this purchase included.
    pub count: i64,
    /// From how many on it acts.
    pub threshold: i64,
    /// What it does.
    pub action: Action,
    /// Whether it acted or only said so.
    pub mode: Mode,
}

impl Looked {
    /// Whether it came to its threshold.
    pub const fn fired(&self) -> bool {
        self.count >= self.threshold
    }
}

/// What is decided: the strongest of what live rules do, and of what those in shadow mode would.
pub fn strongest(looked: &[Looked]) -> (Outcome, Option<Action>) {
    let of = |mode: Mode| {
        let fired = looked
            .iter()
            .filter(move |one| one.fired() && one.mode == mode);
        fired.map(|one| one.action).max()
    };
    (
        of(Mode::Live).map_or(Outcome::Allow, Outcome::from),
        of(Mode::Shadow),
    )
}

/// Somebody or something that a rule blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is.
    pub kind: EntryKind,
    /// Its key.
    pub key: Vec<u8>,
    /// By which rule.
    pub rule: RiskRuleId,
    /// The rule's name.
    pub why: String,
    /// Until when.
    pub until: Timestamp,
}

/// What was decided of one purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The decision.
    pub id: RiskDecisionId,
    /// When it was asked.
    pub step: Step,
    /// What came of it.
    pub outcome: Outcome,
    /// The strongest of what rules in shadow mode would have done.
    pub shadow: Option<Action>,
    /// The order it let through.
    pub order: Option<OrderId>,
    /// A keyed hash of the buyer's mail.
    pub buyer: Option<Vec<u8>>,
    /// One of its domain.
    pub domain: Option<Vec<u8>>,
    /// One of the network.
    pub network: Option<Vec<u8>>,
    /// Of how much.
    pub total: Money,
    /// The entry of a list that decided.
    pub entry: Option<RiskEntryId>,
    /// What each rule counted.
    pub looked: Vec<Looked>,
    /// Whom rules block by it.
    pub blocks: Vec<Block>,
    /// When.
    pub at: Timestamp,
}

impl Decision {
    /// The names of the live rules that fired, the strongest first.
    pub fn why(&self) -> String {
        let live = |one: &&Looked| one.fired() && one.mode == Mode::Live;
        let mut fired: Vec<_> = self.looked.iter().filter(live).collect();
        fired.sort_by_key(|one| std::cmp::Reverse(one.action));
        let names: Vec<_> = fired.iter().map(|one| one.name.as_str()).collect();
        names.join(", ")
    }

    /// Why this purchase doesn't go on, if it doesn't.
    pub fn stop(&self, signed_in: bool) -> Option<RiskError> {
        match self.outcome {
            Outcome::Refuse => Some(RiskError::Refused(Box::new(self.clone()))),
            Outcome::Challenge if !signed_in => Some(RiskError::SignIn(Box::new(self.clone()))),
            _ => None,
        }
    }
}

/// Why risk said no, to a buyer or to the owner.
#[derive(Debug, thiserror::Error)]
pub enum RiskError {
    /// The purchase isn't taken.
    #[error(
        "this shop can't take this purchase now; try again tomorrow, or write to the shop with the \
         number {}", .0.id
    )]
    Refused(Box<Decision>),
    /// The purchase is taken of people who are signed in.
    #[error("sign in, or make an account, to buy this; nothing was charged")]
    SignIn(Box<Decision>),
    /// A rule can't say so.
    #[error("a rule can't have this {0}")]
    Rule(&'static str),
    /// There are as many rules as there may be.
    #[error("there are as many rules as a shop may have")]
    TooManyRules,
    /// An entry can't say so.
    #[error("an entry of a list can't have this {0}")]
    Entry(&'static str),
    /// Decisions have no such outcome.
    #[error("an outcome is allow, review, challenge, refuse or shadow")]
    Outcome,
    /// No such rule, entry, decision or review.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Somebody decided it before, or nothing was paid yet.
    #[error("this order waits for no review")]
    NotWaiting,
    /// A note that is too long.
    #[error("a note has at most 500 characters")]
    Note,
    /// Money is let go or refunded.
    #[error("a review ends with let_go or refund")]
    Choice,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RiskError {
    /// The decision that stopped a purchase.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Refused(decision) | Self::SignIn(decision) => Some(decision),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            name: " Many ".to_owned(),
            counts: Counts::Attempts,
            by: By::Buyer,
            window_ms: MINUTE_MS,
            threshold: 3,
            currency: None,
            newer_than_days: None,
            action: Action::Refuse,
            mode: Mode::Live,
            block_ms: None,
        }
    }

    fn looked(count: i64, action: Action, mode: Mode) -> Looked {
        Looked {
            rule: String::new(),
            name: "r".to_owned(),
            count,
            threshold: 3,
            action,
            mode,
        }
    }

    #[test]
    fn a_rule_acts_from_its_threshold_on_and_the_strongest_counts() {
        let below = looked(2, Action::Refuse, Mode::Live);
        let review = looked(3, Action::Review, Mode::Live);
        let shadow = looked(9, Action::Refuse, Mode::Shadow);
        let challenge = looked(4, Action::Challenge, Mode::Live);
        assert_eq!(strongest(&[]), (Outcome::Allow, None));
        assert_eq!(
            strongest(std::slice::from_ref(&below)),
            (Outcome::Allow, None)
        );
        let all = [below, review, shadow];
        assert_eq!(strongest(&all), (Outcome::Review, Some(Action::Refuse)));
        let [below, review, shadow] = all;
        let all = [below, review, shadow, challenge];
        assert_eq!(strongest(&all).0, Outcome::Challenge);
    }

    #[test]
    fn what_a_rule_can_t_say_is_named() {
        assert_eq!(check(&terms()).expect("is sound").name, "Many");
        type Change = fn(&mut Terms);
        let wrong: &[(&str, Change)] = &[
            ("name", |terms| terms.name = " ".to_owned()),
            ("name", |terms| terms.name = "n".repeat(81)),
            ("by", |terms| terms.counts = Counts::Addresses),
            ("window_ms", |terms| terms.window_ms = MINUTE_MS - 1),
            ("window_ms", |terms| terms.window_ms = MAX_WINDOW_MS + 1),
            ("threshold", |terms| terms.threshold = 0),
            ("threshold", |terms| terms.counts = Counts::Own),
            ("currency", |terms| terms.currency = Some(Currency::EUR)),
            ("currency", |terms| terms.counts = Counts::Spent),
            ("newer_than_days", |terms| terms.newer_than_days = Some(7)),
            ("block_ms", |terms| terms.block_ms = Some(1)),
            ("block_ms", |terms| {
                terms.action = Action::Review;
                terms.block_ms = Some(DAY_MS);
            }),
        ];
        for (field, change) in wrong {
            let mut terms = terms();
            change(&mut terms);
            let found = check(&terms);
            assert!(
                matches!(found, Err(RiskError::Rule(at)) if at == *field),
                "{field} {found:?}"
            );
        }
    }
}
