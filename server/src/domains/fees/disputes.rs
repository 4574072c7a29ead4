//! What a provider takes for a chargeback, by currency.

use super::model::{FeeError, check_reason};
use super::ops::must_own;
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::store::{StoreError, Tx};
use mintreu::id::{FeeRuleId, TenantId};
use mintreu::{Currency, Money, Timestamp};
use std::collections::BTreeMap;

/// Until the owner says otherwise: about fifteen units of a large currency, in round figures.
const USUAL: &[(&str, i64)] = &[
    ("AUD", 2_500),
    ("CAD", 2_000),
    ("CHF", 1_500),
    ("CZK", 37_500),
    ("DKK", 11_000),
    ("EUR", 1_500),
    ("GBP", 1_500),
    ("HUF", 600_000),
    ("INR", 130_000),
    ("JPY", 2_000),
    ("KRW", 20_000),
    ("KWD", 5_000),
    ("NOK", 17_000),
    ("NZD", 2_500),
    ("PLN", 6_500),
    ("SEK", 17_000),
    ("USD", 1_500),
];
/// Of a currency that is not in the table, in hundredths of a unit.
const ELSEWHERE: i64 = 1_500;
/// Most minor units of a fee.
const MAX_MINOR: i64 = 1_000_000_000;

/// The fee of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeFee {
    /// For each chargeback.
    pub amount: Money,
    /// Why it was set; `None` for the usual one.
    pub reason: Option<String>,
    /// When it was set.
    pub set_at: Option<Timestamp>,
}

/// What is taken when nobody said otherwise: exact in the currency's own minor units.
pub fn usual(currency: Currency) -> Money {
    let listed = USUAL.iter().find(|(code, _)| *code == currency.code());
    let minor = listed.map_or_else(
        || match u32::from(currency.exponent()) {
            0 => ELSEWHERE,
            1 => ELSEWHERE / 10,
            digits => ELSEWHERE * 10_i64.pow(digits.min(8) - 2),
        },
        |(_, minor)| *minor,
    );
    Money::new(minor, currency)
}

/// What a chargeback costs now in `currency`.
pub fn dispute_fee(
    tx: &mut dyn Tx,
    tenant: TenantId,
    currency: Currency,
) -> Result<Money, StoreError> {
    let set = sql::dispute_fee(tx, tenant, currency)?;
    Ok(set.map_or_else(|| usual(currency), |set| set.amount))
}

/// Sets what a provider takes for the chargebacks to come.
#[derive(Debug, Clone)]
pub struct SetDisputeFee {
    /// From 0; its currency is the one it is set for.
    pub amount: Money,
    /// Why, 1 to 500 characters.
    pub reason: String,
}

impl Command for SetDisputeFee {
    const NAME: &'static str = "fees.set_dispute_fee";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.amount.currency().code().to_owned())
    }
}

/// See [`SetDisputeFee`]; disputes that were opened before cost what they cost then.
pub fn set_dispute_fee(cx: &mut Cx<'_>, cmd: &SetDisputeFee) -> Result<(), FeeError> {
    if !(0..=MAX_MINOR).contains(&cmd.amount.minor()) {
        return Err(FeeError::DisputeFee);
    }
    let reason = check_reason(&cmd.reason)?;
    let new = sql::NewDisputeFee {
        tenant: cx.caller.tenant,
        id: cx.make_id(FeeRuleId::from_bytes),
        amount: cmd.amount,
        reason: &reason,
        by: cx.caller.account,
        now: cx.now,
    };
    Ok(sql::insert_dispute_fee(cx.tx, &new)?)
}

/// The fee of every currency that has one of its own, by currency. For the owner.
pub fn dispute_fees(cx: &mut ReadCx<'_>, _query: &()) -> Result<Vec<DisputeFee>, FeeError> {
    must_own(cx)?;
    let mut all = BTreeMap::new();
    for (code, minor) in USUAL {
        if let Ok(currency) = Currency::parse(code) {
            let usual = DisputeFee {
                amount: Money::new(*minor, currency),
                reason: None,
                set_at: None,
            };
            all.insert((*code).to_owned(), usual);
        }
    }
    // Newest first, so the last one that is put in would be the oldest.
    for set in sql::dispute_fees(cx.tx, cx.caller.tenant)?
        .into_iter()
        .rev()
    {
        all.insert(set.amount.currency().code().to_owned(), set);
    }
    Ok(all.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_of_its_currency_s_own_digits() {
        for (code, minor) in [
            ("EUR", 1_500),
            ("JPY", 2_000),
            ("KWD", 5_000),
            // Not in the table: fifteen units of two digits, of three, and of none.
            ("BRL", 1_500),
            ("BHD", 15_000),
            ("CLP", 1_500),
        ] {
            let currency = Currency::parse(code).expect("a currency");
            assert_eq!(usual(currency).minor(), minor, "{code}");
        }
        assert!(USUAL.iter().all(|(code, _)| Currency::parse(code).is_ok()));
        assert!(USUAL.is_sorted());
    }
}
