//! What a ledger transaction is. Pure.

use crate::caller::Denied;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::AccountId;
use mintreu::{Currency, Money};
use sha2::{Digest, Sha256};

/// The chart of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// Money at a payment provider, ours but not yet at the bank.
    PspClearing,
    /// What customers owe for invoices (an asset).
    Receivable,
    /// Earned by a seller, not yet releasable.
    SellerHeld,
    /// Earned by a seller, ready for a payout.
    SellerReleasable,
    /// Taken from a seller's releasable balance by a payout that the provider has not confirmed.
    PayoutsInTransit,
    /// Earned by an affiliate.
    AffiliatePayable,
    /// Tax collected, owed to an authority.
    TaxPayable,
    /// The platform's share of sales.
    PlatformFee,
    /// Payment fees by the tariff that was fixed at the sale.
    ProcessingFee,
    /// What the provider really took, less the tariff.
    ProcessingVariance,
    /// Sellers' debts that the platform bears itself.
    WriteOff,
    /// What providers took for disputes and no seller bears.
    DisputeCost,
}

impl AccountKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 12] = [
        Self::PspClearing,
        Self::Receivable,
        Self::SellerHeld,
        Self::SellerReleasable,
        Self::PayoutsInTransit,
        Self::AffiliatePayable,
        Self::TaxPayable,
        Self::PlatformFee,
        Self::ProcessingFee,
        Self::ProcessingVariance,
        Self::WriteOff,
        Self::DisputeCost,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PspClearing => "psp_clearing",
            Self::Receivable => "receivable",
            Self::SellerHeld => "seller_held",
            Self::SellerReleasable => "seller_releasable",
            Self::PayoutsInTransit => "payouts_in_transit",
            Self::AffiliatePayable => "affiliate_payable",
            Self::TaxPayable => "tax_payable",
            Self::PlatformFee => "platform_fee",
            Self::ProcessingFee => "processing_fee",
            Self::ProcessingVariance => "processing_variance",
            Self::WriteOff => "write_off",
            Self::DisputeCost => "dispute_cost",
        }
    }

    /// Reads what [`AccountKind::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// One account: its kind and, for people's accounts, whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// What it counts.
    pub kind: AccountKind,
    /// The seller, customer or affiliate; `None` for the platform's own.
    pub owner: Option<AccountId>,
}

impl Account {
    /// An account of the platform.
    pub const fn platform(kind: AccountKind) -> Self {
        Self { kind, owner: None }
    }

    /// An account of a person.
    pub const fn of(kind: AccountKind, owner: AccountId) -> Self {
        Self {
            kind,
            owner: Some(owner),
        }
    }
}

/// One side of a transaction: positive debits the account, negative credits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// Which account.
    pub account: Account,
    /// How much, signed.
    pub amount: Money,
}

/// Why money moves. Stored, so append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A paid order.
    Sale,
    /// A finalised invoice for usage or a period.
    Invoice,
    /// An invoice that was paid.
    InvoicePayment,
    /// A seller's part became releasable.
    Release,
    /// A seller's releasable balance went into a payout.
    Payout,
    /// The provider confirmed a payout.
    PayoutPaid,
    /// A payout came back to its seller's balance.
    PayoutBack,
    /// A seller's debt that the platform bears.
    WriteOff,
    /// Money that went back to a buyer.
    Refund,
    /// Money that a buyer's bank took.
    Chargeback,
    /// What a provider took for a dispute, or who bears it now.
    DisputeFee,
    /// The platform's fee of a sale that was charged back.
    FeeReturn,
    /// What the provider really took for a payment, less the tariff.
    Variance,
    /// The opposite of an earlier transaction.
    Reversal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Sale,
        Self::Invoice,
        Self::InvoicePayment,
        Self::Release,
        Self::Payout,
        Self::PayoutPaid,
        Self::PayoutBack,
        Self::WriteOff,
        Self::Refund,
        Self::Chargeback,
        Self::DisputeFee,
        Self::FeeReturn,
        Self::Variance,
        Self::Reversal,
    ];

    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Invoice => "invoice",
            Self::InvoicePayment => "invoice_payment",
            Self::Release => "release",
            Self::Payout => "payout",
            Self::PayoutPaid => "payout_paid",
            Self::PayoutBack => "payout_back",
            Self::WriteOff => "write_off",
            Self::Refund => "refund",
            Self::Chargeback => "chargeback",
            Self::DisputeFee => "dispute_fee",
            Self::FeeReturn => "fee_return",
            Self::Variance => "variance",
            Self::Reversal => "reversal",
        }
    }
}

/// A stored entry with its account: what explorers and statements show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which account.
    pub account: Account,
    /// How much, signed.
    pub amount: Money,
}

/// Why a posting was refused.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The postings don't sum to zero.
    #[error("the postings leave {minor} minor units of {currency} unbalanced")]
    Unbalanced {
        /// In which currency.
        currency: Currency,
        /// By how much.
        minor: i64,
    },
    /// There is nothing to post, or a posting of nothing.
    #[error("a transaction needs postings, none of them zero")]
    Empty,
    /// The key was used for something else.
    #[error("the posting key {0:?} was used for another transaction")]
    KeyReused(String),
    /// There is no such transaction in this tenant.
    #[error("no such ledger transaction")]
    NotFound,
    /// An amount was too large to hold exactly.
    #[error(transparent)]
    Money(#[from] mintreu::Error),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for JobError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => Self::retry(error),
            other => Self::fail(other),
        }
    }
}

/// A transaction whose postings sum to zero in every currency. There is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balanced {
    key: String,
    reason: Reason,
    reference: String,
    postings: Vec<Posting>,
}

impl Balanced {
    /// Checks `postings`; `key` names the cause (`sale:pay_…`), `reference` what it belongs to.
    pub fn new(
        key: impl Into<String>,
        reason: Reason,
        reference: impl Into<String>,
        postings: Vec<Posting>,
    ) -> Result<Self, LedgerError> {
        if postings.is_empty() || postings.iter().any(|posting| posting.amount.minor() == 0) {
            return Err(LedgerError::Empty);
        }
        for currency in postings.iter().map(|posting| posting.amount.currency()) {
            let same = |posting: &&Posting| posting.amount.currency() == currency;
            let sum = postings
                .iter()
                .filter(same)
                .try_fold(Money::zero(currency), |sum, posting| {
                    sum.checked_add(posting.amount)
                })?;
            if sum.minor() != 0 {
                let minor = sum.minor();
                return Err(LedgerError::Unbalanced { currency, minor });
            }
        }
        Ok(Self {
            key: key.into(),
            reason,
            reference: reference.into(),
            postings,
        })
    }

    /// The opposite of stored `entries`.
    pub fn opposite(
        key: impl Into<String>,
        reference: impl Into<String>,
        entries: &[Entry],
    ) -> Result<Self, LedgerError> {
        let turned = entries.iter().map(|entry| {
            let amount = entry.amount.checked_neg()?;
            Ok(Posting {
                account: entry.account,
                amount,
            })
        });
        let postings = turned.collect::<Result<Vec<_>, mintreu::Error>>()?;
        Self::new(key, Reason::Reversal, reference, postings)
    }

    /// The cause, unique in the tenant.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Why money moves.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What it belongs to.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Its sides.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// A digest of the content: the same key must always carry the same content.
    pub(super) fn content_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.reason.code());
        hash.update([0]);
        hash.update(&self.reference);
        for Posting { account, amount } in &self.postings {
            hash.update([0]);
            hash.update(account.kind.code());
            hash.update(account.owner.map_or([0; 16], |owner| *owner.as_bytes()));
            hash.update(amount.minor().to_be_bytes());
            hash.update(amount.currency().code());
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn posting(kind: AccountKind, minor: i64, currency: Currency) -> Posting {
        Posting {
            account: Account::platform(kind),
            amount: Money::new(minor, currency),
        }
    }

    fn balanced(postings: Vec<Posting>) -> Result<Balanced, LedgerError> {
        Balanced::new("k", Reason::Sale, "ref", postings)
    }

    #[test]
    fn an_unbalanced_transaction_cannot_exist() {
        use AccountKind::{PlatformFee, PspClearing};
        let (eur, usd) = (Currency::EUR, Currency::USD);
        assert!(
            balanced(vec![
                posting(PspClearing, 5, eur),
                posting(PlatformFee, -5, eur)
            ])
            .is_ok()
        );
        // Zero in total, but of two currencies.
        let mixed = balanced(vec![
            posting(PspClearing, 5, eur),
            posting(PlatformFee, -5, usd),
        ]);
        assert!(matches!(
            mixed,
            Err(LedgerError::Unbalanced { minor: 5, .. })
        ));
        assert!(matches!(balanced(vec![]), Err(LedgerError::Empty)));
        let nothing = vec![posting(PspClearing, 0, eur)];
        assert!(matches!(balanced(nothing), Err(LedgerError::Empty)));
        let most = vec![
            posting(PspClearing, i64::MAX, eur),
            posting(PlatformFee, 1, eur),
        ];
        assert!(matches!(balanced(most), Err(LedgerError::Money(_))));
    }

    #[test]
    fn the_content_hash_tells_contents_apart() {
        use AccountKind::{PlatformFee, PspClearing};
        let eur = Currency::EUR;
        let five = balanced(vec![
            posting(PspClearing, 5, eur),
            posting(PlatformFee, -5, eur),
        ]);
        let six = balanced(vec![
            posting(PspClearing, 6, eur),
            posting(PlatformFee, -6, eur),
        ]);
        let (five, six) = (five.expect("balances"), six.expect("balances"));
        assert_ne!(five.content_hash(), six.content_hash());
        assert_eq!(five.content_hash(), five.clone().content_hash());
    }

    proptest! {
        #[test]
        fn exists_exactly_when_it_sums_to_zero(
            amounts in proptest::collection::vec(-1_000_000_i64..1_000_000, 1..6),
        ) {
            let postings: Vec<_> = amounts.iter()
                .map(|&minor| posting(AccountKind::PspClearing, minor, Currency::EUR)).collect();
            let sound = amounts.iter().sum::<i64>() == 0 && !amounts.contains(&0);
            prop_assert_eq!(balanced(postings).is_ok(), sound);
        }
    }
}
