//! What a provider really took for a payment, beside what the tariff said at the sale.

use super::model::FulfilmentError;
use crate::app::Cx;
use crate::domains::ledger::{self, Account, AccountKind, Balanced, LedgerError, Posting, Reason};
use crate::domains::payments::PaymentEvent;

/// Posts the difference once for each payment; what was divided was posted as `what`
/// (`sale`, `invoice`) of `reference`. The platform bears what is above the tariff and keeps what is below it.
///
/// A fee that is told in another currency than was paid in is kept with its event and not posted:
/// nothing here knows what one is worth in the other.
pub(super) fn post(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    (what, reference): (&str, String),
) -> Result<(), FulfilmentError> {
    let currency = event.amount.currency();
    let Some(taken) = event.fee.filter(|fee| fee.currency() == currency) else {
        return Ok(());
    };
    let divided = format!("{what}:{reference}");
    let tariff = ledger::credited(cx, &divided, AccountKind::ProcessingFee, currency)?;
    let more = taken.checked_sub(tariff).map_err(LedgerError::from)?;
    if more.minor() == 0 {
        return Ok(());
    }
    let postings = vec![
        Posting {
            account: Account::platform(AccountKind::ProcessingVariance),
            amount: more,
        },
        Posting {
            account: Account::platform(AccountKind::PspClearing),
            amount: more.checked_neg().map_err(LedgerError::from)?,
        },
    ];
    let key = format!("variance:{}", event.reference);
    ledger::post(
        cx,
        &Balanced::new(key, Reason::Variance, reference, postings)?,
    )?;
    Ok(())
}
