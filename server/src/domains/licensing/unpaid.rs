//! Licenses whose money went back: withdrawn because of it, and given back with it.
//!
//! What money took, money gives back; a license that its seller withdrew stays withdrawn whatever
//! becomes of its money.

use super::lists;
use super::model::LicensingError;
use super::sql::unpaid as rows;
use crate::app::Cx;
use mintreu::id::LicenseId;

/// Why a license's money isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpaid {
    /// All of it went back to the buyer.
    Refunded,
    /// The buyer's bank took it and hasn't decided.
    Disputed,
    /// The buyer's bank keeps it.
    ChargedBack,
}

impl Unpaid {
    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refunded => "refund",
            Self::Disputed => "dispute",
            Self::ChargedBack => "chargeback",
        }
    }

    /// For the customer to read.
    const fn sentence(self) -> &'static str {
        match self {
            Self::Refunded => "its price was refunded",
            Self::Disputed => "its payment is disputed",
            Self::ChargedBack => "its payment was charged back",
        }
    }

    const fn fact(self) -> &'static str {
        match self {
            Self::Disputed => "license.suspended",
            Self::Refunded | Self::ChargedBack => "license.revoked",
        }
    }
}

/// Makes the license work or not, as its money says: `None` is paid. Repeating it changes nothing.
pub fn follow_money(
    cx: &mut Cx<'_>,
    license: LicenseId,
    unpaid: Option<Unpaid>,
) -> Result<(), LicensingError> {
    let tenant = cx.caller.tenant;
    let found = rows::find(cx.tx, tenant, license)?;
    let before = found.ok_or(LicensingError::NotFound)?;
    let by_seller = before.revoked && before.cause.is_none();
    if by_seller || before.cause.as_deref() == unpaid.map(Unpaid::code) {
        return Ok(());
    }
    let why = unpaid.map(|why| (why.code(), why.sentence()));
    rows::update(cx.tx, tenant, (license, why), cx.now)?;
    if before.revoked != unpaid.is_some()
        && let (product, Some(place)) = before.place
    {
        lists::mark(cx, product, place, unpaid.is_some())?;
    }
    let fact = unpaid.map_or("license.reinstated", Unpaid::fact);
    crate::events::record(cx, fact, &license.to_string(), &())?;
    Ok(())
}
